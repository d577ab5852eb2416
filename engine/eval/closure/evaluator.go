package closure

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Evaluator prepares programs that run as compiled closures.
type Evaluator struct{}

// New is the evaluator.
func New() Evaluator { return Evaluator{} }

// Name is "closure".
func (Evaluator) Name() string { return "closure" }

// Prepare compiles a policy. Its errors say what in the policy OPA's planner or
// this compiler cannot take.
func (Evaluator) Prepare(ctx context.Context, policy *rego.Policy) (eval.Program, error) {
	query, err := policy.Query()
	if err != nil {
		return nil, err
	}
	plan, err := rego.Plan(ctx, policy.Compiler(), query)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s: OPA cannot plan the policy: %w", policy.Name(), err)
	}
	explaining, err := topdown.New().Prepare(ctx, policy)
	if err != nil {
		return nil, err
	}
	p := &program{static: ast.NewTerm(policy.Data()), explaining: explaining}
	p.executable, err = newExecutable(plan, p.static, func(t *tree) (err error) {
		p.yields, err = decide(t.plan)
		return err
	})
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s: the plan of the policy is of a form that is not known: %w", policy.Name(), err)
	}
	return p, nil
}

// A program is a compiled policy.
type program struct {
	executable *executable
	static     *ast.Term
	explaining eval.Program
	yields     [len(rego.Rules)]local
}

// Eval runs the program.
func (p *program) Eval(ctx context.Context, in eval.Input) (eval.Output, error) {
	if in.Explain {
		return p.explaining.Eval(ctx, in)
	}
	if err := eval.Validate(in.Request); err != nil {
		return eval.Output{}, err
	}
	steps := in.Steps
	if steps == 0 {
		steps = eval.DefaultSteps
	}
	m := p.executable.machine(run{
		ctx: ctx, directory: in.Directory, static: p.static, request: in.Request, shared: in.Parts, now: in.Now, steps: steps,
	})
	defer p.executable.release(m)
	if err := p.executable.run(m); err != nil {
		return eval.Output{}, eval.Failure(err)
	}
	var values [len(rego.Rules)]ast.Value
	for i, l := range p.yields {
		if l < 0 {
			continue
		}
		if term := settle(m, m.slots[l]); term != nil {
			values[i] = term.Value
		}
	}
	if m.err != nil {
		return eval.Output{}, eval.Failure(m.err)
	}
	return eval.Yield{Allow: values[0], Deny: values[1], Reasons: values[2], Obligations: values[3]}.Output()
}
