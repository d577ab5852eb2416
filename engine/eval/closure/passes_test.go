package closure

import (
	"context"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// OPA's own cases hold whatever passes are left out, but for two: without
// evaluation on demand, errors are met that OPA does not meet; and it is inlining
// that tells a path in a base document, where 5 finds "5", from dots into a value.
func TestOPACasesWithoutAPass(t *testing.T) {
	for p := range allPasses {
		without := pass(1 << p)
		if without == demandPass || without == inlinePass {
			continue
		}
		t.Run(passNames[without], func(t *testing.T) {
			evaltest.RunOPACases(t, New().Name(), func(ctx context.Context, q evaltest.Query) ([]map[string]ast.Value, error) {
				return queryWithout(ctx, q, without)
			})
		})
	}
}

var passNames = map[pass]string{
	constantsPass: "constants", inlinePass: "inline", literalsPass: "literals", hoistPass: "hoist",
	exitsPass: "exits", demandPass: "demand", dispatchPass: "dispatch", staticPass: "static",
}
