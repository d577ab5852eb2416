package closure

import (
	"context"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/explain"
	"github.com/verdictpdp/verdict/engine/panics"
	"github.com/verdictpdp/verdict/policy/rego"
)

// An explainer runs a policy to tell what becomes of its rules: from a plan with
// marks, without the passes that leave out work or change its order, and with
// observers in the code. It takes no part in deciding.
type explainer struct {
	rules      *explain.Policy
	executable *executable
}

// newExplainer compiles the policy of a program once more.
func newExplainer(policy *rego.Policy, p *program) (_ *explainer, err error) {
	defer panics.Catch("explainer", &err)
	query, err := policy.Query()
	if err != nil {
		return nil, err
	}
	e := &explainer{rules: explain.New(policy)}
	e.executable, err = newDecorated(policy.Compiler(), e.rules, query, p.static)
	if err != nil {
		return nil, err
	}
	e.executable.patterns, e.executable.signatures = p.executable.patterns, p.executable.signatures
	return e, nil
}

// newDecorated compiles a query with observers, which the machine that runs it
// must have. Of the passes it has those that answers rest on, onDemand among them:
// it decides with what keys a rule is tried; and baseFirst, which decides what is
// tried first.
func newDecorated(compiler *ast.Compiler, rules *explain.Policy, query ast.Body, static *ast.Term) (*executable, error) {
	plan, err := rego.Plan(context.Background(), marked(compiler, rules), query)
	if err != nil {
		return nil, err
	}
	t, err := decode(plan)
	if err != nil {
		return nil, err
	}
	for _, f := range t.functions {
		yieldDirectly(f)
	}
	if err := decorate(t, rules.Rules()); err != nil {
		return nil, err
	}
	for _, f := range t.functions {
		fixed := f.fixed()
		for _, b := range f.blocks() {
			simplify(b)
			baseFirst(b)
			endEvery(b)
			foldConstants(b, fixed)
			inline(b, fixed)
			foldNests(b)
		}
	}
	onDemand(t)
	return source{static: static}.encode(t)
}

// stepsPerValue is how many steps finding the value of an operand may take.
const stepsPerValue = 10_000

// PrepareExplaining makes the explainer.
func (p *program) PrepareExplaining() { _, _ = p.explainer() }

// explain decides as the program does bare, and tells what was tried and read.
// The run that tells ends with the same context; neither what it yields nor its
// errors are heard.
func (p *program) explain(ctx context.Context, in *eval.Input) (eval.Output, error) {
	directory := in.Directory
	decided, looked := &explain.Witness{Directory: directory}, &explain.Witness{Directory: directory}
	in.Directory = decided
	out, failure := p.decide(ctx, in)
	e, err := p.explainer()
	if err != nil { // see TestWhatCanBePlannedCanBeExplained
		facts := decided.And(looked)
		out.Explanation = &authz.Explanation{Rules: []authz.RuleOutcome{}, Facts: facts.Told, FactsLeftOut: facts.LeftOut, CutShort: err.Error()}
		return out, failure
	}
	o := newObserver(e.rules)
	in.Directory = looked
	m := e.executable.machine(newRun(ctx, in, p.static))
	defer e.executable.release(m)
	m.observer = o
	var cut error
	if in.Validate() == nil {
		_ = e.executable.run(m)
		cut = eval.Failure(m.err) // the fault of a built-in lets it come to its end
	}
	m.directory = directory
	o.blind = true
	out.Explanation = o.record.Explain(explain.Decision{
		Output: out,
		Err:    failure,
		Facts:  looked.And(decided),
		Cut:    cut,
		Values: func(trial *explain.Trial) []*ast.Array { return m.values(o.scenes[trial]) },
	})
	return out, failure
}

// values finds the values of the operands where a rule failed; nil those that
// cannot be found.
func (m *machine) values(s scene) []*ast.Array {
	if s.sight == nil {
		return nil
	}
	values := make([]*ast.Array, len(s.sight.operands))
	for i, operand := range s.sight.operands {
		if m.ctx.Err() != nil {
			break
		}
		m.err, m.fault = nil, nil
		m.allot(stepsPerValue)
		copy(m.slots[s.sight.from:s.sight.to], s.locals)
		again := *s.world
		again.yielded = slices.Clone(again.yielded)
		m.world = &again
		m.answers = m.answers[:0]
		if operand(m) == goOn {
			values[i], _ = m.answers[0].Value.(*ast.Array)
		}
	}
	return values
}
