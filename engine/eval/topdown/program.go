// Package topdown evaluates policies with OPA's own evaluator. It is the
// reference: what it answers is right by definition.
//
// A program is one query over the rules of the decision, compiled at
// activation and run once a decision, on documents that are read as the policy
// asks for them. It knows no store: what it reads of the directory comes
// through eval.Directory. Start with New and program.Eval.
//
// Where a policy binds a whole entity, such as
// subject := data.directory.user[input.subject.id], OPA asks for the value with
// all its members, and gets it; a reference to one member reads that member
// alone. (A value of our own type that computes its members when they are
// looked at is not possible: OPA compares objects by its own concrete types.)
package topdown

import (
	"context"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/cache"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/explain"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Evaluator prepares programs that run on OPA's topdown.
type Evaluator struct{}

// New is the evaluator.
func New() Evaluator { return Evaluator{} }

// Name is "topdown".
func (Evaluator) Name() string { return "topdown" }

// maxCompiled is how many compiled patterns (regular expressions, globs,
// schemas) a program keeps from one decision to the next.
const maxCompiled = 1_000

// Prepare compiles the query of a decision.
func (Evaluator) Prepare(_ context.Context, policy *rego.Policy) (eval.Program, error) {
	query, err := policy.Query()
	if err != nil {
		return nil, err
	}
	p, err := newProgram(policy, query)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s: the query of a decision does not compile: %w", policy.Name(), err)
	}
	return p, nil
}

// newProgram compiles a query of a policy.
func newProgram(policy *rego.Policy, query ast.Body) (*program, error) {
	compiler := policy.Compiler().QueryCompiler()
	query, err := compiler.Compile(query)
	if err != nil {
		return nil, err
	}
	most := maxCompiled
	return &program{
		policy:    policy,
		body:      query,
		compiler:  compiler,
		explained: sync.OnceValue(func() *explain.Policy { return explain.New(policy) }),
		compiled: cache.NewInterQueryValueCache(context.Background(), &cache.Config{
			InterQueryBuiltinValueCache: cache.InterQueryBuiltinValueCacheConfig{MaxNumEntries: &most},
		}),
	}, nil
}

// A program is a prepared policy.
type program struct {
	policy    *rego.Policy
	body      ast.Body
	compiler  ast.QueryCompiler
	compiled  cache.InterQueryValueCache
	explained func() *explain.Policy
}

// Eval runs the query.
func (p *program) Eval(ctx context.Context, in eval.Input) (eval.Output, error) {
	if in.Explain {
		return p.explain(ctx, in)
	}
	return p.run(ctx, in, nil)
}

func (p *program) run(ctx context.Context, in eval.Input, tracer *tracer) (eval.Output, error) {
	input, err := in.Parts.Document(in.Request)
	if err != nil {
		return eval.Output{}, err
	}
	txn := &transaction{ctx: ctx, directory: in.Directory, static: p.policy.Data()}
	query := p.newQuery(input, in.Now).WithStore(store{}).WithTransaction(txn).WithCancel(txn)
	yield, err := tracer.watch(query, func(query *topdown.Query) (eval.Yield, error) { return yieldOf(ctx, query) })
	if tracer != nil && (tracer.ended != nil || txn.failure != nil) {
		tracer.ended = txn.outcome(tracer.ended)
	}
	if err := txn.outcome(err); err != nil {
		return eval.Output{}, err
	}
	return yield.Output()
}

// newQuery is the query of one decision, still without documents to read.
func (p *program) newQuery(input *ast.Term, now time.Time) *topdown.Query {
	return p.query(p.body, input, now).WithQueryCompiler(p.compiler)
}

// query is a query of the policy, still without documents to read.
func (p *program) query(body ast.Body, input *ast.Term, now time.Time) *topdown.Query {
	return newQuery(p.policy, body, input, now).WithInterQueryBuiltinValueCache(p.compiled)
}

// newQuery is a query as all of a policy's are run, still without documents to
// read.
func newQuery(policy *rego.Policy, body ast.Body, input *ast.Term, now time.Time) *topdown.Query {
	return topdown.NewQuery(body).
		WithCompiler(policy.Compiler()).
		WithInput(input).
		WithTime(now).
		WithBuiltins(standIns).
		WithStrictBuiltinErrors(true).
		WithMetrics(metrics.NoOp())
}

// yieldOf runs a query.
func yieldOf(ctx context.Context, query *topdown.Query) (yield eval.Yield, err error) {
	err = query.Iter(ctx, func(result topdown.QueryResult) error {
		yield = eval.Yield{
			Allow:       only(result[rego.Allow]),
			Deny:        only(result[rego.Deny]),
			Reasons:     only(result[rego.Reasons]),
			Obligations: only(result[rego.Obligations]),
		}
		return nil
	})
	return yield, err
}

// only is the value that a comprehension of the query collected, or nil.
func only(collected *ast.Term) ast.Value {
	if collected == nil {
		return nil
	}
	values := collected.Value.(*ast.Array)
	if values.Len() == 0 {
		return nil
	}
	return values.Elem(0).Value
}

// outcome is the error of an evaluation. What the directory reported goes
// before all else: OPA may have taken it for an undefined value.
func (t *transaction) outcome(err error) error {
	switch {
	case t.failure != nil:
		return t.failure
	case err == nil:
		return t.ctx.Err() // a built-in may have run past the end
	case topdown.IsCancel(err) && t.ctx.Err() != nil:
		return t.ctx.Err()
	}
	if topdown.IsError(err) {
		return eval.Failure(err)
	}
	return authz.Errorf(authz.Evaluation, "%w", err)
}
