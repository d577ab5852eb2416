package benchmarks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
	"github.com/verdictpdp/verdict/benchmarks/table"
)

// fewUsers are enough for every sort of question.
const fewUsers = 500

// TestScenarios holds that a figure of a scenario means something: the engines
// agree, with each other and with how the world was made, and the questions
// differ and are not all allowed or all denied.
func TestScenarios(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	for _, s := range scenario.All(fewUsers) {
		if s.Large {
			continue // the same as another with more of everything
		}
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			w, err := s.World()
			if err != nil {
				t.Fatal(err)
			}
			checkQuestions(t, w.Questions)
			w.Questions = w.Questions[:150] // of each sort in all likelihood, for they are in random order
			row, err := table.Open(t.Context(), s, w, engines.All())
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
}

func checkQuestions(t *testing.T, questions []scenario.Question) {
	t.Helper()
	if len(questions) < scenario.Questions || !questions[0].Allowed {
		t.Errorf("%d questions, the first allowed: %t; want %d and true", len(questions), questions[0].Allowed, scenario.Questions)
	}
	seen, allowed := map[string]bool{}, 0
	for _, q := range questions {
		r := *q.Request
		if q.Sent != nil {
			r.Context = nil
		}
		seen[fmt.Sprint(r)] = true
		if q.Allowed {
			allowed++
		}
	}
	if len(seen) != len(questions) {
		t.Errorf("%d of %d questions differ", len(seen), len(questions))
	}
	if share := 100 * allowed / len(questions); share < 35 || share > 65 {
		t.Errorf("%d %% of the questions are allowed: want about half", share)
	}
}

// TestTableFindsDisagreement holds that a wrong answer, of one engine or of the
// world, is found and told with the request.
func TestTableFindsDisagreement(t *testing.T) {
	s := scenario.All(fewUsers)[0]
	w, err := s.World()
	if err != nil {
		t.Fatal(err)
	}
	w.Questions = w.Questions[:3]
	w.Questions[1].Allowed = !w.Questions[1].Allowed
	row, err := table.Open(t.Context(), s, w, engines.All())
	if err != nil {
		t.Fatal(err)
	}
	err = row.Agree()
	if err == nil || !strings.Contains(err.Error(), "question 1") || !strings.Contains(err.Error(), w.Questions[1].Request.Subject.ID) {
		t.Errorf("a wrong answer was reported as %v", err)
	}
}
