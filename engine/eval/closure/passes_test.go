package closure

import (
	"context"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// without is a querier that leaves passes out.
func without(off pass) evaltest.Querier {
	return func(ctx context.Context, q evaltest.Query) ([]map[string]ast.Value, error) {
		return queryWithout(ctx, q, off)
	}
}

// A namedPass is a pass that can be left out.
type namedPass struct {
	name string
	pass
}

func namedPasses() []namedPass {
	return []namedPass{
		{"constants", constantsPass}, {"inline", inlinePass}, {"literals", literalsPass}, {"hoist", hoistPass},
		{"exits", exitsPass}, {"demand", demandPass}, {"dispatch", dispatchPass}, {"filters", filtersPass}, {"static", staticPass},
		{"calls", callsPass}, {"variants", variantsPass},
	}
}

// needed are passes that answers rest on: without evaluation on demand, errors
// are met that OPA does not meet; and it is folding and inlining that tell a path
// in a base document, where 5 finds "5", from dots into a value.
const needed = demandPass | inlinePass | constantsPass

// OPA's own cases hold without any other pass.
func TestOPACasesWithoutPasses(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	evaltest.RunOPACases(t, New().Name(), without(1<<allPasses-1&^needed))
}

// Generated policies hold without each of the other passes, each time other
// policies, and so do the differences that were found once. They hold without all
// of them, too.
func TestGeneratedPoliciesWithoutAPass(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	passes := append(namedPasses(), namedPass{"all others", 1<<allPasses - 1&^needed})
	few := max(1, *seeds/5)
	for i, p := range passes {
		if p.pass&needed != 0 {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			held := evaltest.Differential{Querier: without(p.pass)}
			held.RunDifferences(t)
			held.CheckSeeds(t, *firstSeed+uint64(i*few), few)
		})
	}
}

func TestEachPassHasAName(t *testing.T) {
	var named pass
	for _, p := range namedPasses() {
		named |= p.pass
	}
	if named != 1<<allPasses-1 {
		t.Errorf("passes %b of %b have names", named, 1<<allPasses-1)
	}
}
