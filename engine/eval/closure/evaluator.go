package closure

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Evaluator prepares programs that run as compiled closures.
type Evaluator struct {
	off          pass   // passes that are left out, which tests do
	variantAfter uint32 // see variants
}

// New is the evaluator.
func New() Evaluator { return Evaluator{variantAfter: variantAfter} }

// Name is "closure".
func (Evaluator) Name() string { return "closure" }

// Prepare compiles a policy, at the context's pace. Its errors say what in the policy OPA's
// planner or this compiler cannot take.
func (e Evaluator) Prepare(ctx context.Context, policy *rego.Policy) (eval.Program, error) {
	query, err := policy.Query()
	if err != nil {
		return nil, err
	}
	plan, err := rego.Plan(ctx, policy.Compiler(), query)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s: OPA cannot plan the policy: %w", policy.Name(), err)
	}
	p := &program{static: ast.NewTerm(policy.Data())}
	p.explainer = sync.OnceValues(func() (*explainer, error) { return newExplainer(policy, p) })
	p.profiled = sync.OnceValues(func() (*profiler, error) { return newProfiler(policy, p.static) })
	sorted(p.static)
	s := source{plan: plan, static: p.static, adapt: func(t *tree) (err error) {
		p.yields, err = yieldsOf(t, rego.Rules[:])
		return err
	}, off: e.off, rest: background.Resting(ctx)}
	var whole *tree
	p.executable, whole, err = compile(s)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s: the plan of the policy is of a form that is not known: %w", policy.Name(), err)
	}
	if s.runs(variantsPass) {
		p.variants = newVariants(whole, s, p.executable, e.variantAfter, background.PaceOf(ctx))
	}
	return p, nil
}

// A program is a compiled policy.
type program struct {
	executable *executable
	variants   *variants
	static     *ast.Term
	yields     []local                    // in the order of rego.Rules
	explainer  func() (*explainer, error) // made when first asked for
	profiled   func() (*profiler, error)  // likewise
	profiler   atomic.Pointer[profiler]   // once it is made
}

// Eval runs the program.
func (p *program) Eval(ctx context.Context, in eval.Input) (eval.Output, error) {
	if in.Explain {
		return p.explain(ctx, &in)
	}
	return p.decide(ctx, &in)
}

func (p *program) decide(ctx context.Context, in *eval.Input) (eval.Output, error) {
	if err := in.Validate(); err != nil {
		return eval.Output{}, err
	}
	x := p.executable
	if p.variants != nil {
		if variant := p.variants.of(in.Request); variant != nil {
			x = variant
		}
	}
	m := x.machine(newRun(ctx, in, p.static))
	defer x.release(m)
	if err := x.run(m); err != nil {
		return eval.Output{}, eval.Failure(err)
	}
	return p.output(m)
}

// newRun is what an evaluation runs on.
func newRun(ctx context.Context, in *eval.Input, static *ast.Term) *run {
	return &run{
		ctx: ctx, directory: in.Directory, static: static, request: in.Request, document: in.Document, shared: in.Parts,
		now: in.Now, steps: cmp.Or(in.Steps, eval.DefaultSteps),
	}
}

// output is what the rules have yielded.
func (p *program) output(m *machine) (eval.Output, error) {
	var yield eval.Yield
	var deny, reasons []string
	var obligations authz.Object
	var err error
	for i, l := range p.yields {
		if l < 0 || m.slots[l] == nil || err != nil {
			continue
		}
		switch term := m.slots[l]; rego.Rules[i] {
		case rego.Allow:
			yield.Allow = m.whole(term)
		case rego.Deny:
			deny, yield.Deny, err = m.strings(rego.Deny, term)
		case rego.Reasons:
			reasons, yield.Reasons, err = m.strings(rego.Reasons, term)
		case rego.Obligations:
			if object, is := m.object(term); is {
				obligations = object
			} else if yield.Obligations = m.whole(term); yield.Obligations != nil {
				m.pay(m.weigh(yield.Obligations)) // it is converted
			}
		}
	}
	if m.err != nil {
		return eval.Output{}, eval.Failure(m.err)
	}
	if err != nil {
		return eval.Output{}, err
	}
	out, err := yield.Output()
	if err != nil {
		return eval.Output{}, err
	}
	if deny != nil {
		out.Deny = deny
	}
	if reasons != nil {
		out.Reasons = reasons
	}
	if obligations != nil {
		out.Obligations = obligations
	}
	return out, nil
}

// whole is a term's value as OPA's, nil where that fails.
func (m *machine) whole(t *ast.Term) ast.Value {
	if t = settle(m, t); t != nil {
		return t.Value
	}
	return nil
}

// strings are the members of a set of strings, or else the value that stands in
// its place. A set that was just made is not made OPA's first.
func (m *machine) strings(rule string, t *ast.Term) ([]string, ast.Value, error) {
	if b, isBuilding := t.Value.(*building); isBuilding && b.kind == setKind {
		members, err := eval.Strings(rule, b.all())
		return members, nil, err
	}
	return nil, m.whole(t), nil
}
