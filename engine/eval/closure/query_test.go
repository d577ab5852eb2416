package closure

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"

	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/policy/rego"
)

func TestShippedBundlesByOPAsTester(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	evaltest.RunShippedBundles(t, bundles.FS, func(plan *ir.Policy, static *ast.Term) (evaltest.Planned, error) {
		x, err := newExecutable(source{plan: plan, static: static})
		return func(ctx context.Context, input *ast.Term, directory eval.Directory) ([]*ast.Term, error) {
			m := x.machine(&run{ctx: ctx, static: static, directory: directory, input: input, now: time.Now(), steps: math.MaxInt64})
			defer x.release(m)
			err := x.run(m)
			return slices.Clone(m.answers), err
		}, err
	})
}

func TestOPACases(t *testing.T) { evaltest.RunOPACases(t, New().Name(), query) }

// query answers any query by its plan.
func query(ctx context.Context, q evaltest.Query) ([]map[string]ast.Value, error) {
	return queryWithout(ctx, q, 0)
}

// queryWithout is query without some passes.
func queryWithout(ctx context.Context, q evaltest.Query, off pass) ([]map[string]ast.Value, error) {
	x, err := queryable(ctx, q, off)
	if err != nil {
		return nil, err
	}
	return x.answers(ctx, q)
}

// rememberingQueries is query for whoever asks the same of several inputs: it
// keeps what it has made of the queries on one compiler's modules. It is not for
// use by several goroutines.
func rememberingQueries() evaltest.Querier {
	var of *ast.Compiler
	var known map[string]*executable
	return func(ctx context.Context, q evaltest.Query) ([]map[string]ast.Value, error) {
		if of != q.Compiler {
			of, known = q.Compiler, make(map[string]*executable)
		}
		x := known[q.Text]
		if x == nil {
			var err error
			if x, err = queryable(ctx, q, 0); err != nil {
				return nil, err
			}
			known[q.Text] = x
		}
		return x.answers(ctx, q)
	}
}

// queryable is the executable of a query.
func queryable(ctx context.Context, q evaltest.Query, off pass) (*executable, error) {
	body, err := q.Body()
	if err != nil {
		return nil, err
	}
	plan, err := rego.Plan(ctx, q.Compiler, body)
	if err != nil {
		return nil, err
	}
	return newExecutable(source{plan: plan, static: ast.NewTerm(q.Data), off: off})
}

// answers runs the executable of a query.
func (x *executable) answers(ctx context.Context, q evaltest.Query) ([]map[string]ast.Value, error) {
	r := run{ctx: ctx, input: q.Input, static: ast.NewTerm(q.Data), directory: q.Directory, now: q.Now, steps: math.MaxInt64, lenient: !q.Strict}
	if q.Now.IsZero() {
		r.now = time.Now()
	}
	if q.Directory == nil {
		r.data = r.static // all of data, a member directory included
	}
	m := x.machine(&r)
	defer x.release(m)
	if err := x.run(m); err != nil {
		return nil, err
	}
	return answersOf(m)
}

// answersOf are the answers of a query that has run.
func answersOf(m *machine) ([]map[string]ast.Value, error) {
	answers := make([]map[string]ast.Value, len(m.answers))
	for i, answer := range m.answers {
		object, isObject := answer.Value.(ast.Object)
		if !isObject {
			return nil, errors.New("an answer is no object")
		}
		answers[i] = make(map[string]ast.Value)
		object.Foreach(func(name, value *ast.Term) { answers[i][string(name.Value.(ast.String))] = value.Value })
	}
	return answers, nil
}
