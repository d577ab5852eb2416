package evaltest

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest/generate"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// CheckExplanations holds the explanations of an evaluator to those of a
// reference on generated policies of so many seeds, and its explained decisions
// to its bare ones. It returns how many explanations it compared.
//
// Two explanations of one decision may differ in what follows from the order in
// which rules are tried, and that order is nobody's promise. So those that an
// error has cut short are not compared, and neither are rules that only one of
// the two has tried. And either may leave out values.
//
// One in two hundred explanations, and one more, may differ beyond that: in which
// of several calls that came as far was the first; and, where a rule is asked for a
// key that it does not have, in what it says of that, the head or the expression of
// the body that the key is from.
func CheckExplanations(t *testing.T, reference, evaluator eval.Evaluator, first uint64, seeds int) (compared int) {
	t.Helper()
	different := 0
	for i := range inShort(seeds) {
		seed := first + uint64(i)
		c, err := compile(t, generate.Seeded(seed))
		if err != nil {
			continue
		}
		expected, err := reference.Prepare(t.Context(), c.policy)
		if err != nil {
			t.Fatal(err)
		}
		program, err := evaluator.Prepare(t.Context(), c.policy)
		if err != nil {
			continue // as Differential counts
		}
		single := singleRules(c.policy)
		for _, request := range c.Requests {
			request.Tenant = Tenant
			q := question{request: &request}
			bare, explained := c.decide(t.Context(), program, q), c.explain(t, program, q)
			if !bare.agrees(explained.answer) {
				t.Errorf("seed %d: explained, the decision is %v, bare it is %v", seed, explained, bare)
			}
			want := c.explain(t, expected, q)
			if want.err != nil || explained.err != nil || !want.agrees(explained.answer) || want.cut || explained.cut {
				continue
			}
			if diff := compareOutcomes(want.rules, explained.rules, single); diff != "" {
				different++
				t.Logf("seed %d: the explanations differ (-reference +evaluator):\n%s", seed, diff)
			}
			compared++
		}
	}
	if different > 1+compared/200 {
		t.Errorf("%d of %d explanations differ", different, compared)
	}
	return compared
}

// CheckShippedExplanations holds the explanations of an evaluator to those of a
// reference on the bundles that are shipped, which stand in a file system, and
// their sample requests. They are the same in all.
func CheckShippedExplanations(t *testing.T, reference, evaluator eval.Evaluator, bundles fs.FS) {
	t.Helper()
	lib, err := bundle.ReadFS(bundles, "lib")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"workforce", "customer", "hybrid"} {
		t.Run(name, func(t *testing.T) {
			b, err := bundle.ReadFS(bundles, name)
			if err != nil {
				t.Fatal(err)
			}
			policy, err := rego.Compile(b.With(lib), rego.Options{})
			if err != nil {
				t.Fatal(err)
			}
			directory := piptest.New(name)
			directory.Write(piptest.Lines(t, read(t, bundles, name+"/directory.jsonl"))...)
			explain := func(e eval.Evaluator) (outputs []eval.Output) {
				program, err := e.Prepare(t.Context(), policy)
				if err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(read(t, bundles, name+"/requests.jsonl")) {
					out, err := program.Eval(t.Context(), eval.Input{
						Request:   sampleRequest(t, line),
						Directory: pip.NewCache(pip.Options{}).Reader(directory.Latest(), 10_000),
						Now:       noon(),
						Explain:   true,
					})
					if err != nil {
						t.Fatal(err)
					}
					outputs = append(outputs, out)
				}
				return outputs
			}
			compare(t, explain(evaluator), explain(reference))
		})
	}
}

func read(t *testing.T, files fs.FS, name string) string {
	t.Helper()
	text, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sampleRequest is the request of a line of requests.jsonl.
func sampleRequest(t *testing.T, line string) *authz.Request {
	t.Helper()
	type party struct {
		Type, ID, Name string
		Properties     authz.Object
	}
	var row struct {
		Request struct {
			Tenant                    string
			Subject, Action, Resource party
			Context                   authz.Object
		}
	}
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&row); err != nil {
		t.Fatal(err)
	}
	r := row.Request
	return &authz.Request{
		Tenant:   r.Tenant,
		Subject:  authz.Subject{Type: r.Subject.Type, ID: r.Subject.ID, Properties: r.Subject.Properties},
		Action:   authz.Action{Name: r.Action.Name, Properties: r.Action.Properties},
		Resource: authz.Resource{Type: r.Resource.Type, ID: r.Resource.ID, Properties: r.Resource.Properties},
		Context:  r.Context,
	}
}

// An explainedAnswer is a decision and the rules of its explanation, by place.
type explainedAnswer struct {
	answer
	rules map[string]authz.RuleOutcome
	cut   bool // short
}

func (c *compiledCase) explain(t *testing.T, program eval.Program, q question) explainedAnswer {
	t.Helper()
	out, err := program.Eval(t.Context(), eval.Input{Request: q.request, Directory: c.reader(), Now: noon(), Explain: true})
	explained := explainedAnswer{rules: make(map[string]authz.RuleOutcome), cut: out.Explanation.CutShort != ""}
	for _, rule := range out.Explanation.Rules {
		explained.rules[rule.Location] = rule
	}
	out.Explanation = nil
	if explained.answer = decided(out); err != nil {
		explained.answer = failed(err)
	}
	return explained
}

// singleRules are the places at which one rule stands. Elses that stand on one line
// with others have none.
func singleRules(policy *rego.Policy) map[string]bool {
	single := make(map[string]bool)
	for _, module := range policy.Compiler().Modules {
		for _, rule := range module.Rules {
			for ; rule != nil; rule = rule.Else {
				place := rego.Location(rule.Location)
				_, seen := single[place]
				single[place] = !seen
			}
		}
	}
	return single
}

func compareOutcomes(want, got map[string]authz.RuleOutcome, single map[string]bool) string {
	diffs := ""
	for place, expected := range want {
		outcome, tried := got[place]
		ended := !outcome.Held && !outcome.Erred && outcome.FailedAt == ""
		if !single[place] || !tried || ended {
			continue
		}
		told := make(map[string]string)
		for _, v := range outcome.Values {
			told[v.Text] = v.Value
		}
		for _, v := range expected.Values {
			if value, isTold := told[v.Text]; isTold && value != v.Value {
				diffs += "-" + v.Text + " = " + v.Value + "\n+" + v.Text + " = " + value + "\n"
			}
		}
		// A rank is among all rules that failed, and what it rests on are those
		// that were tried.
		diffs += gocmp.Diff(expected, outcome, cmpopts.IgnoreFields(authz.RuleOutcome{}, "Values", "ValuesLeftOut", "Rank", "RestsOn"))
	}
	return diffs
}
