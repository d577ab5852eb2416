package topdown

import (
	"context"
	"errors"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/explain"
)

// PrepareExplaining reads the policy's source.
func (p *program) PrepareExplaining() { p.explained() }

// explain decides as the bare query does, and tells what was tried and read. A
// second run, without the index and early exit, tries the rules that those
// passed over, so that they too say what did not hold. The second run ends with
// the same context; neither what it yields nor its errors are heard.
func (p *program) explain(ctx context.Context, in eval.Input) (eval.Output, error) {
	rules := p.explained()
	deciding := newTracer(rules)
	beyond := deciding.unindexed()
	directory := in.Directory
	decided, looked := &explain.Witness{Directory: directory}, &explain.Witness{Directory: directory}
	in.Directory = decided
	out, err := p.run(ctx, in, deciding)
	if beyond.ended = ctx.Err(); beyond.ended == nil {
		in.Directory = looked
		_, _ = p.run(ctx, in, beyond)
	}
	in.Directory = directory
	scenes := beyond.scenes
	for _, trial := range beyond.record.Add(deciding.record) {
		scenes[trial] = deciding.scenes[trial]
	}
	out.Explanation = beyond.record.Explain(explain.Decision{
		Output: out,
		Err:    err,
		Facts:  looked.And(decided),
		Cut:    beyond.ended,
		Values: func(t *explain.Trial) []*ast.Array { return p.values(ctx, in, t, scenes[t]) },
	})
	return out, err
}

// A tracer notes what becomes of each rule. It implements topdown.QueryTracer.
type tracer struct {
	rules   *explain.Policy
	record  *explain.Record
	scenes  map[*explain.Trial]scene
	open    map[uint64]*explain.Trial // by the query that evaluates the rule's body
	parents map[uint64]uint64         // of queries
	last    uint64                    // the query of the last event
	drawn   builtins.NDBCache         // what the network and chance have yielded
	beyond  bool                      // it sees what the index would pass over
	ended   error                     // what ended the run before its end, if anything
}

// A scene is what a rule's body has found when it came to where it failed.
type scene struct {
	input *ast.Term
	found map[ast.Var]*ast.Term
}

// maxOpen is of how many queries it is remembered where they stand, before those
// are forgotten that do not stand around the present one: most have ended.
const maxOpen = 1 << 16

func newTracer(rules *explain.Policy) *tracer {
	return &tracer{
		rules: rules, record: rules.NewRecord(), scenes: make(map[*explain.Trial]scene),
		open: make(map[uint64]*explain.Trial), parents: make(map[uint64]uint64), drawn: builtins.NDBCache{},
	}
}

// unindexed is a tracer that sees the rules which the index would pass over. What
// t's run has drawn by chance or asked over the network is not drawn or asked
// again.
func (t *tracer) unindexed() *tracer {
	next := newTracer(t.rules)
	next.drawn, next.beyond = t.drawn, true
	return next
}

// watch runs a query under the tracer, if there is one. OPA evaluates to the
// end after a built-in's error and takes the call for undefined; a strict query
// then fails with the first. Watched, it fails with the same, and all of them
// mark the rules that they arose in.
func (t *tracer) watch(query *topdown.Query, run func(*topdown.Query) (eval.Yield, error)) (eval.Yield, error) {
	if t == nil {
		return run(query)
	}
	var faults []topdown.Error
	yield, err := run(query.WithQueryTracer(t).WithIndexing(!t.beyond).WithEarlyExit(!t.beyond).WithNDBuiltinCache(t.drawn).
		WithStrictBuiltinErrors(false).WithBuiltinErrorList(&faults))
	for i := range faults {
		t.record.Mark(faults[i].Location)
	}
	if fault, ok := errors.AsType[*topdown.Error](err); ok {
		t.record.Mark(fault.Location)
	}
	if t.ended = err; err != nil {
		t.cut()
	}
	if len(faults) > 0 {
		err = &faults[0]
	}
	return yield, err
}

// Enabled is true: the tracer is made when it is asked for.
func (*tracer) Enabled() bool { return true }

// Config asks for no variables.
func (*tracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent notes that a rule is tried, that its body comes to an expression,
// and that it holds. Expressions of inner queries, such as those of a
// comprehension or under not, are passed over.
func (t *tracer) TraceEvent(event topdown.Event) {
	if event.Op == topdown.RedoOp {
		return // which also comes on the way out of an evaluation that has ended
	}
	if event.QueryID != t.last {
		t.goTo(event.QueryID, event.ParentID)
	}
	switch event.Op {
	case topdown.EnterOp:
		t.enter(&event)
	case topdown.ExitOp:
		t.exit(&event)
	case topdown.EvalOp:
		trial := t.open[event.QueryID]
		expr, isExpr := event.Node.(*ast.Expr)
		if trial == nil || !isExpr {
			return
		}
		if step := slices.Index(trial.Rule.Compiled.Body, expr); step >= 0 && trial.Reach(step) {
			t.scenes[trial] = sceneOf(&event, trial)
		}
	}
}

// goTo notes which query is evaluated at present, and in which that stands.
func (t *tracer) goTo(query, parent uint64) {
	t.last, t.parents[query] = query, parent
	if len(t.parents) > maxOpen {
		t.forget()
	}
}

// forget keeps the queries around the present one alone.
func (t *tracer) forget() {
	open, parents := t.open, t.parents
	t.open, t.parents = make(map[uint64]*explain.Trial), make(map[uint64]uint64)
	for query := t.last; ; {
		parent, known := parents[query]
		if _, again := t.parents[query]; !known || again {
			return
		}
		t.parents[query] = parent
		if trial := open[query]; trial != nil {
			t.open[query] = trial
		}
		query = parent
	}
}

func (t *tracer) enter(event *topdown.Event) {
	compiled, isRule := event.Node.(*ast.Rule)
	if !isRule {
		return
	}
	if rule := t.rules.Rule(compiled); rule != nil {
		t.open[event.QueryID] = t.record.Enter(rule)
	}
}

func (t *tracer) exit(event *topdown.Event) {
	trial := t.open[event.QueryID]
	compiled, isRule := event.Node.(*ast.Rule)
	if trial == nil || !isRule {
		return
	}
	var value ast.Value
	if trial.Rule.IsComplete() {
		value = event.Plug(compiled.Head.Value).Value
	}
	if trial.Yield(value) {
		t.scenes[trial] = sceneOf(event, trial)
	}
}

// sceneOf keeps what the operands of a step read.
func sceneOf(event *topdown.Event, trial *explain.Trial) scene {
	s := scene{event.Input(), make(map[ast.Var]*ast.Term)}
	for _, operand := range trial.Rule.Operands(trial.Step) {
		for _, name := range operand.Needs {
			if value := event.Plug(ast.NewTerm(name)); value.IsGround() {
				s.found[name] = value
			}
		}
	}
	return s
}

// cut notes which rules were tried when the evaluation ended.
func (t *tracer) cut() {
	for query, n := t.last, 0; n <= len(t.parents); n++ {
		if trial := t.open[query]; trial != nil {
			trial.Cut()
		}
		parent, known := t.parents[query]
		if !known {
			return
		}
		query = parent
	}
}

// values finds the values of the operands where a rule failed. What a rule has
// read of data under a with is not known any more.
func (p *program) values(ctx context.Context, in eval.Input, trial *explain.Trial, s scene) []*ast.Array {
	operands := trial.Rule.Operands(trial.Step)
	values := make([]*ast.Array, len(operands))
	for i, operand := range operands {
		if operand.Data && trial.Rule.Mocked() || ctx.Err() != nil {
			continue
		}
		query := make([]*ast.Expr, 0, len(operand.Needs)+1)
		for _, name := range operand.Needs {
			if s.found[name] != nil {
				query = append(query, ast.Equality.Expr(ast.NewTerm(name), s.found[name]))
			}
		}
		if len(query) < len(operand.Needs) {
			continue
		}
		const result = ast.Var("values")
		query = append(query, ast.Equality.Expr(ast.NewTerm(result), operand.Values))
		txn := &transaction{ctx: ctx, directory: in.Directory, static: p.policy.Data()}
		_ = p.query(ast.NewBody(query...), s.input, in.Now).WithStore(store{}).WithTransaction(txn).WithCancel(txn).WithStrictBuiltinErrors(false).
			Iter(ctx, func(found topdown.QueryResult) error {
				values[i], _ = found[result].Value.(*ast.Array)
				return nil
			})
		if txn.failure != nil {
			values[i] = nil
		}
	}
	return values
}
