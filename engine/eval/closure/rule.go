package closure

import (
	"context"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// PrepareRule compiles what one rule rests on.
func (e Evaluator) PrepareRule(ctx context.Context, policy *rego.Policy, name string) (eval.Rule, error) {
	query, err := policy.RuleQuery(name)
	if err != nil {
		return nil, err
	}
	plan, err := rego.Plan(ctx, policy.Compiler(), query)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s: OPA cannot plan the rule %s: %w", policy.Name(), name, err)
	}
	r := &rule{name: name, static: ast.NewTerm(policy.Data())}
	sorted(r.static)
	r.executable, err = newExecutable(source{plan: plan, static: r.static, off: e.off})
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s: the plan of the rule %s is of a form that is not known: %w", policy.Name(), name, err)
	}
	return r, nil
}

// A rule is one rule of a policy, compiled by itself.
type rule struct {
	name       string
	executable *executable
	static     *ast.Term
}

// Value runs the rule.
func (r *rule) Value(ctx context.Context, in eval.Input) (value any, defined bool, err error) {
	if err := in.Validate(); err != nil {
		return nil, false, err
	}
	m := r.executable.machine(newRun(ctx, &in, r.static))
	defer r.executable.release(m)
	if err := r.executable.run(m); err != nil {
		return nil, false, eval.Failure(err)
	}
	yielded, err := yieldedBy(m)
	if yielded == nil || err != nil {
		return nil, false, err
	}
	if !m.pay(m.weigh(yielded)) { // it is converted
		return nil, false, eval.Failure(m.err)
	}
	value, err = eval.Plain(r.name, yielded)
	return value, err == nil, err
}

// yieldedBy is what the query of one rule has yielded; nil for undefined.
func yieldedBy(m *machine) (ast.Value, error) {
	if len(m.answers) != 1 {
		return nil, errors.New("the query of a rule has not one answer")
	}
	answer, isObject := m.answers[0].Value.(ast.Object)
	if !isObject {
		return nil, errors.New("the answer of a rule is no object")
	}
	collected, isArray := answer.Get(ast.StringTerm(rego.RuleValue)).Value.(*ast.Array)
	switch {
	case !isArray:
		return nil, errors.New("what a rule yields is not collected")
	case collected.Len() == 0:
		return nil, nil
	}
	return collected.Elem(0).Value, nil
}
