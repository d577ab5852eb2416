package topdown_test

import (
	"testing"

	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

func TestConformance(t *testing.T) { evaltest.Run(t, topdown.New()) }

func TestOPACases(t *testing.T) { evaltest.RunOPACases(t, topdown.New().Name(), evaltest.Reference) }

// What is read as a policy asks for it is what OPA reads from a store that holds
// all of it.
func TestGeneratedPolicies(t *testing.T) {
	held := evaltest.Differential{Evaluator: topdown.New()}
	held.RunDifferences(t)
	t.Logf("%+v", held.CheckSeeds(t, 0, 100))
}
