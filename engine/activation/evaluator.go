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
func (s *Set) choose(ctx context.Context, policy *rego.Policy) (*Active, error) {
	active := &Active{BundleName: policy.Name(), Revision: policy.Revision()}
	var failure error
	for _, evaluator := range s.evaluators {
		active.Program, failure = prepareOn(ctx, evaluator, policy)
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

// prepareOn has one evaluator prepare a policy. One that panics has not taken it:
// the next one may.
func prepareOn(ctx context.Context, evaluator eval.Evaluator, policy *rego.Policy) (_ eval.Program, err error) {
	defer panics.Catch("activation", &err)
	return evaluator.Prepare(ctx, policy)
}
