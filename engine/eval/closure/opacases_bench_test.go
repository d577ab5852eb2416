package closure

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// BenchmarkOPACases is about the policies that were not written to be quick:
//
//	go test -run '^$' -bench OPACases -benchtime 1x ./engine/eval/closure
func BenchmarkOPACases(b *testing.B) {
	directory := pip.NewCache(pip.Options{}).Reader(piptest.New("t").Latest(), 1)
	evaltest.BenchmarkOPACases(b, func(ctx context.Context, q evaltest.Query) (func(context.Context) error, error) {
		x, err := queryable(ctx, q, 0)
		if err != nil {
			return nil, err
		}
		static := ast.NewTerm(q.Data)
		return func(ctx context.Context) error {
			m := x.machine(&run{ctx: ctx, input: q.Input, static: static, directory: directory, now: time.Now(), steps: math.MaxInt64, lenient: !q.Strict})
			defer x.release(m)
			return x.run(m)
		}, nil
	})
}
