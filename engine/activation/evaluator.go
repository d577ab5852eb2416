package activation

import (
	"context"
	"fmt"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/panics"
	"github.com/verdictpdp/verdict/policy/rego"
)

// choose has a policy prepared by the first evaluator that can. The error is the
// last one's.
func (s *Set) choose(ctx context.Context, policy *rego.Policy, rest func()) (*Active, error) {
	active := &Active{BundleName: policy.Name(), Revision: policy.Revision()}
	var failure error
	for _, evaluator := range s.evaluators {
		failure = s.prepareOn(ctx, evaluator, policy, active, rest)
		if failure == nil {
			active.Evaluator = evaluator.Name()
			return active, nil
		}
		if active.FallbackReason == nil {
			active.FallbackReason = fmt.Errorf("%s cannot take the policy: %w", evaluator.Name(), failure)
		}
	}
	return nil, failure
}

// prepareOn has one evaluator prepare a policy, with its further rules. One that
// panics has not taken it: the next one may.
func (s *Set) prepareOn(ctx context.Context, evaluator eval.Evaluator, policy *rego.Policy, active *Active, rest func()) (err error) {
	defer panics.Catch("activation", &err)
	if active.Program, err = evaluator.Prepare(ctx, policy); err != nil {
		return err
	}
	rest()
	active.Actions, active.Rules = nil, nil
	if policy.Has(rego.Actions) {
		active.Actions, err = evaluator.PrepareRule(ctx, policy, policy.ActionsRule())
		if err != nil {
			return err
		}
	}
	for _, name := range s.rules {
		if !policy.HasRule(name) {
			continue
		}
		rule, err := evaluator.PrepareRule(ctx, policy, name)
		if err != nil {
			return err
		}
		rest()
		if active.Rules == nil {
			active.Rules = make(map[string]eval.Rule)
		}
		active.Rules[name] = rule
	}
	return nil
}
