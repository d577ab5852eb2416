package closure

import (
	"context"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/explain"
)

// Marks and observers change no answer of OPA's cases, and what can be planned
// can be planned with them. Values are found wherever a rule has failed.
func TestWhatCanBePlannedCanBeExplained(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	var found atomic.Int64
	decorated := func(ctx context.Context, q evaltest.Query) ([]map[string]ast.Value, error) {
		body, err := q.Body()
		if err != nil {
			return nil, err
		}
		title := func(*ast.Rule) string { return "" }
		rules := explain.Read(q.Compiler, q.Compiler.Modules, title)
		x, err := newDecorated(q.Compiler, rules, body, ast.NewTerm(q.Data))
		if err != nil {
			return nil, err
		}
		m := x.machine(&run{ctx: ctx, input: q.Input, data: ast.NewTerm(q.Data), now: time.Now(), steps: math.MaxInt64, lenient: !q.Strict})
		defer x.release(m)
		m.observer = newObserver(rules)
		err = x.run(m)
		answers, malformed := answersOf(m)
		for _, trial := range m.observer.record.Tried() {
			for _, values := range m.values(m.observer.scenes[trial]) {
				if values != nil {
					found.Add(1)
				}
			}
		}
		if q.Strict && err == nil {
			return query(ctx, q) // observers take built-ins' errors
		}
		return answers, errors.Join(err, malformed)
	}
	t.Run("cases", func(t *testing.T) { evaltest.RunOPACases(t, New().Name(), decorated) })
	if n := found.Load(); n < 1_000 {
		t.Errorf("only %d values were found", n)
	}
}
