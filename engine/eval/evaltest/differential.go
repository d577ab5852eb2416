package evaltest

import (
	"flag"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest/generate"
)

// A Differential holds an evaluator to Reference on generated policies: on what
// each question yields, whether it is defined, and on the codes of errors. Which
// errors may differ is said in tolerance.go.
//
// What an evaluator cannot take is counted, and no difference.
type Differential struct {
	// Evaluator is held on decisions; nil is not.
	Evaluator eval.Evaluator
	// Querier is held on all questions; nil is not.
	Querier Querier
}

// A Tally counts what became of cases and their questions.
type Tally struct {
	Cases      int
	Uncompiled int // cases that OPA's compiler refused
	Questions  int
	Defined    int // questions that OPA answered with a value
	Erred      int // questions that OPA answered with an error
	Tolerated  int // questions that the two may answer differently, and do
	Refused    int // questions that the evaluator cannot take
	Faults     int // questions to which OPA has no answer by a fault of its own
}

// Add adds what another counted.
func (t *Tally) Add(o Tally) {
	t.Cases += o.Cases
	t.Uncompiled += o.Uncompiled
	t.Questions += o.Questions
	t.Defined += o.Defined
	t.Erred += o.Erred
	t.Tolerated += o.Tolerated
	t.Refused += o.Refused
	t.Faults += o.Faults
}

// A Difference is a question that an evaluator answers differently from OPA, and
// may not.
type Difference struct {
	// Case has the question as its only one.
	Case      generate.Case
	between   Differential
	want, got answer
}

// String is the difference as a person reads it. What it begins with is an
// archive that RunDifferences runs once it stands in testdata.
func (d *Difference) String() string {
	return fmt.Sprintf("%s\nOPA answers\n\t%s\nthe evaluator answers\n\t%s\n", archived(d.Case), indented(d.want), indented(d.got))
}

func indented(a answer) string { return strings.ReplaceAll(a.String(), "\n", "\n\t") }

// Check asks a case. It returns the first difference, or nil.
func (d Differential) Check(t testing.TB, c generate.Case) (Tally, *Difference) {
	t.Helper()
	tally := Tally{Cases: 1}
	compiled, err := compile(t, c)
	if err != nil {
		tally.Uncompiled++
		return tally, nil
	}
	examinees := d.examinees(t, compiled)
	for _, q := range compiled.questions() {
		want := compiled.ask(t.Context(), Reference, compiled.compiler, q)
		if want.refused {
			continue // the query does not compile
		}
		if want.isOPAsFault() {
			tally.Faults++
			continue
		}
		for _, e := range examinees {
			if e.decides && q.query != "" {
				continue
			}
			got := e.unpanicked(q)
			tally.Questions++
			switch {
			case got.refused:
				tally.Refused++
				continue
			case want.err != nil:
				tally.Erred++
			case want.text != "":
				tally.Defined++
			}
			if want.agrees(got) {
				continue
			}
			if !compiled.tolerates(t.Context(), q, want, got) {
				c.Requests, c.Queries = c.Requests[q.at:q.at+1], []string{q.query}
				return tally, &Difference{Case: c, between: e.between, want: want, got: got}
			}
			tally.Tolerated++
		}
	}
	return tally, nil
}

// An examinee answers questions beside Reference.
type examinee struct {
	between Differential
	decides bool // whether it answers what the decision is, and nothing else
	answer  func(question) answer
}

// unpanicked answers a question; a panic is an answer that agrees with none.
func (e examinee) unpanicked(q question) (a answer) {
	defer func() {
		if fault := recover(); fault != nil {
			a = answer{err: fmt.Errorf("panic: %v\n%s", fault, panicked(string(debug.Stack()))), panicked: true}
		}
	}()
	return e.answer(q)
}

// panicked is what of a stack lies between the panic and this package.
func panicked(stack string) string {
	const here = "engine/eval/evaltest."
	_, stack, _ = strings.Cut(stack, "\npanic(")
	stack, _, _ = strings.Cut(stack, here)
	lines := strings.Split(stack, "\n")
	return strings.Join(lines[min(2, len(lines)):max(2, len(lines)-1)], "\n")
}

// examinees prepares a case, when it is first asked.
func (d Differential) examinees(t testing.TB, c *compiledCase) []examinee {
	var all []examinee
	if d.Evaluator != nil {
		prepare := sync.OnceValues(func() (eval.Program, error) { return d.Evaluator.Prepare(t.Context(), c.policy) })
		all = append(all, examinee{
			between: Differential{Evaluator: d.Evaluator},
			decides: true,
			answer: func(q question) answer {
				program, err := prepare()
				if err != nil {
					return answer{err: err, refused: true}
				}
				return c.decide(t.Context(), program, q)
			},
		})
	}
	if d.Querier != nil {
		all = append(all, examinee{
			between: Differential{Querier: d.Querier},
			answer:  func(q question) answer { return c.ask(t.Context(), d.Querier, c.compiler, q) },
		})
	}
	return all
}

// CheckSeeds checks the cases of so many seeds from a first one on. It ends the
// test at a difference, which it shows as small as it gets.
func (d Differential) CheckSeeds(t *testing.T, first uint64, seeds int) Tally {
	t.Helper()
	var all Tally
	for i := range inShort(seeds) {
		tally, found := d.Check(t, generate.Seeded(first+uint64(i)))
		all.Add(tally)
		if found != nil {
			t.Fatalf("seed %d:\n%s", first+uint64(i), found.Shrunk(t))
		}
	}
	return all
}

// inShort is how many of so many seeds are looked at: of ten one with -short.
func inShort(seeds int) int {
	if testing.Short() {
		return (seeds + 9) / 10
	}
	return seeds
}

// Fuzz holds an evaluator to OPA's on cases that the fuzzer makes up. A difference
// is shown as it was found, and as small as it gets when it is run again.
func (d Differential) Fuzz(f *testing.F) {
	for seed := range byte(10) {
		f.Add([]byte{seed})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, found := d.Check(t, generate.New(data))
		switch {
		case found == nil:
		case searching():
			t.Fatal(found)
		default:
			t.Fatal(found.Shrunk(t))
		}
	})
}

// searching reports whether this process makes up cases for a fuzzer, which takes
// a process for hung that is at one of them for ten seconds.
func searching() bool {
	worker := flag.Lookup("test.fuzzworker")
	return worker != nil && worker.Value.String() == "true"
}
