package closure

import (
	"flag"
	"testing"

	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

var (
	firstSeed = flag.Uint64("first-seed", 1, "the first of the generated policies")
	seeds     = flag.Int("seeds", 90, "how many generated policies to hold the evaluator to")
)

// differential holds this evaluator to OPA's on generated policies.
var differential = evaltest.Differential{Evaluator: Evaluator{}, Querier: rememberingQueries()}

func TestGeneratedPolicies(t *testing.T) {
	differential.RunDifferences(t)
	t.Logf("%+v", differential.CheckSeeds(t, *firstSeed, *seeds))
}

func FuzzDifferential(f *testing.F) { differential.Fuzz(f) }
