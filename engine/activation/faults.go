package activation

import (
	"context"
	"fmt"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// maxFaults is how many faults an error tells.
const maxFaults = 5

// findFaults asks the policy for what is wrong with it. The last evaluator is asked:
// it takes what the others do not, and is asked once.
func (s *Set) findFaults(ctx context.Context, policy *rego.Policy) error {
	for _, name := range s.faults {
		if !policy.HasRule(name) {
			continue
		}
		rule, err := s.evaluators[len(s.evaluators)-1].PrepareRule(ctx, policy, name)
		if err != nil {
			return err
		}
		found, defined, err := rule.Value(ctx, eval.Input{Directory: eval.NoDirectory{}, Now: s.clock()})
		if err != nil {
			return fmt.Errorf("bundle %s: %s: %w", policy.Name(), name, err)
		}
		faults, isSet := found.([]any)
		switch {
		case defined && !isSet:
			return authz.Errorf(authz.Invalid, "bundle %s: %s is no set of texts", policy.Name(), name)
		case len(faults) > 0:
			return authz.Errorf(authz.Invalid, "bundle %s: %s", policy.Name(), listed(faults))
		}
	}
	return nil
}

// listed are faults in one line.
func listed(faults []any) string {
	var text strings.Builder
	for i, fault := range faults[:min(len(faults), maxFaults)] {
		if i > 0 {
			text.WriteString("; ")
		}
		fmt.Fprint(&text, fault)
	}
	if more := len(faults) - maxFaults; more > 0 {
		fmt.Fprintf(&text, "; and %d more", more)
	}
	return text.String()
}
