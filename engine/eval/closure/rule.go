package closure

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
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
	r.executable, err = newExecutable(source{plan: plan, static: r.static, adapt: func(t *tree) error {
		yields, err := yieldsOf(t, []string{rego.RuleValue})
		if err == nil {
			r.yield = yields[0]
		}
		return err
	}, off: e.off, rest: background.Resting(ctx)})
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
	yield      local // holds what it yields
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
	yielded := m.slots[r.yield]
	if yielded == nil {
		return nil, false, nil
	}
	if value, is := m.converted(yielded); is {
		return value, true, nil
	}
	whole := m.whole(yielded)
	if m.err != nil || whole == nil || !m.pay(m.weigh(whole)) { // it is converted
		return nil, false, eval.Failure(m.err)
	}
	value, err = eval.Plain(r.name, whole)
	return value, err == nil, err
}
