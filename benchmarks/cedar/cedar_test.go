package main

import (
	"slices"
	"testing"

	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
	"github.com/verdictpdp/verdict/benchmarks/table"
)

// Cedar decides what its policies are about as the others do.
func TestCedarAgrees(t *testing.T) {
	const users, some = 500, 150
	expressible := 0
	for _, s := range scenario.All(users) {
		if s.Large || s.Whole {
			continue
		}
		w, err := s.World()
		if err != nil {
			t.Fatal(err)
		}
		if w.Cedar == nil {
			continue
		}
		expressible++
		w.Questions = w.Questions[:some]
		t.Run(s.Name, func(t *testing.T) {
			row, err := table.Open(t.Context(), s, w, slices.Concat([]engines.Engine{engine{}}, engines.All()))
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time by what the evaluator made of itself for such questions
				if err := row.Agree(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	if expressible == 0 {
		t.Error("no scenario has a policy for Cedar")
	}
}
