package topdown

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// PrepareRule compiles the query of one rule.
func (Evaluator) PrepareRule(_ context.Context, policy *rego.Policy, name string) (eval.Rule, error) {
	query, err := policy.RuleQuery(name)
	if err != nil {
		return nil, err
	}
	p, err := newProgram(policy, query)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "bundle %s: the query of the rule %s does not compile: %w", policy.Name(), name, err)
	}
	return &rule{name, p}, nil
}

// A rule is one rule of a policy.
type rule struct {
	name    string
	program *program
}

// Value runs the query.
func (r *rule) Value(ctx context.Context, in eval.Input) (value any, defined bool, err error) {
	var yielded ast.Value
	err = r.program.onDocuments(ctx, in, func(query *topdown.Query) error {
		return query.Iter(ctx, func(result topdown.QueryResult) error {
			yielded = only(result[rego.RuleValue])
			return nil
		})
	})
	if yielded == nil || err != nil {
		return nil, false, err
	}
	value, err = eval.Plain(r.name, yielded)
	return value, err == nil, err
}

// onDocuments runs the program's query on what an input has to read.
func (p *program) onDocuments(ctx context.Context, in eval.Input, run func(*topdown.Query) error) error {
	input, err := in.Term()
	if err != nil {
		return err
	}
	txn := &transaction{ctx: ctx, directory: in.Directory, static: p.policy.Data()}
	return txn.outcome(run(p.newQuery(input, in.Now).WithStore(store{}).WithTransaction(txn).WithCancel(txn)))
}
