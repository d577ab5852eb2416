// Package evaltest holds every evaluator to the Rego contract, in three ways of
// which an evaluator's own tests call each in a line:
//
//   - Run, the same cases, each run bare and explained. A case is a policy, a
//     directory and a request, and what the policy yields. The cases stand in the
//     files named after what they are about.
//   - RunOPACases, the cases that OPA's module ships, all but few exceptions. They
//     are queries over modules of any kind, which a Querier answers.
//   - Differential, policies that package generate makes up, on which an evaluator
//     is held to OPA's. What was found that way stays a test: a difference is
//     shown as an archive for testdata/differences.
//
// The directory is read through package pip, as in service. Start with Case.
package evaltest

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Tenant is the tenant of all cases.
const Tenant = "clinic"

// A Case is one evaluation and its outcome.
type Case struct {
	Name string
	// Rego is a module without its package clause, which is authz, and its
	// import of rego.v2.
	Rego string
	// Data is the bundle's static data as JSON; empty means none.
	Data string
	// Directory is what the directory holds, in the import format.
	Directory string
	// Request is user:mina reads record:r1 where it is nil.
	Request *authz.Request
	// Now is the time of the decision; noon of 2026-03-01 where it is zero.
	Now time.Time
	// Entities is the limit of entities read; 100 where it is 0.
	Entities int

	// Want is what the policy yields, besides the explanation.
	Want eval.Output
	// Rules and Facts are the explanation; nil is not compared.
	Rules []authz.RuleOutcome
	Facts []authz.Fact
	// Kind and Text are the kind of the error and a part of its text; an empty
	// Text expects none.
	Kind authz.Kind
	Text string
}

// Cases are all cases.
func Cases() []Case {
	return slices.Concat(ruleCases(), inputCases(), directoryCases(), graphCases(), faultCases(), explainCases(), explainValueCases())
}

// Run runs all cases on an evaluator.
func Run(t *testing.T, evaluator eval.Evaluator) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			program := c.Prepare(t, evaluator)
			t.Run("bare", func(t *testing.T) { c.check(t, program, false) })
			t.Run("explained", func(t *testing.T) { c.check(t, program, true) })
		})
	}
	t.Run("context", func(t *testing.T) { runContext(t, evaluator) })
	t.Run("late answer", func(t *testing.T) { runLateAnswer(t, evaluator) })
	t.Run("failing directory", func(t *testing.T) { runFailingDirectory(t, evaluator) })
	t.Run("explanation cut short", func(t *testing.T) { runCutShort(t, evaluator) })
	t.Run("explanation at its bounds", func(t *testing.T) { runAtBounds(t, evaluator) })
	t.Run("single rules", func(t *testing.T) { runRules(t, evaluator) })
	t.Run("many at once", func(t *testing.T) { runManyAtOnce(t, evaluator) })
}

// Prepare compiles and prepares the policy.
func (c Case) Prepare(t testing.TB, evaluator eval.Evaluator) eval.Program {
	t.Helper()
	program, err := evaluator.Prepare(t.Context(), c.Policy(t))
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// Policy compiles the policy.
func (c Case) Policy(t testing.TB) *rego.Policy {
	t.Helper()
	files := fstest.MapFS{"policy.rego": {Data: []byte("package authz\n\nimport rego.v2\n" + c.Rego)}}
	if c.Data != "" {
		files["data.json"] = &fstest.MapFile{Data: []byte(c.Data)}
	}
	b, err := bundle.ReadFS(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := rego.Compile(b, rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

// Input is what the program is evaluated on.
func (c Case) Input(t testing.TB) eval.Input {
	t.Helper()
	directory := piptest.New(Tenant)
	directory.Write(piptest.Lines(t, c.Directory)...)
	return eval.Input{
		Request:   cmp.Or(c.Request, request()),
		Directory: pip.NewCache(pip.Options{}).Reader(directory.Latest(), cmp.Or(c.Entities, 100)),
		Now:       cmp.Or(c.Now, noon()),
	}
}

func (c Case) check(t *testing.T, program eval.Program, explain bool) {
	in := c.Input(t)
	in.Explain = explain
	got, err := program.Eval(t.Context(), in)
	if explain && got.Explanation == nil {
		t.Error("there is no explanation")
	}
	if !explain && got.Explanation != nil {
		t.Error("there is an explanation that was not asked for")
	}
	checkError(t, err, c.Kind, c.Text)
	if err != nil && (got.Allow || got.Deny != nil || got.Reasons != nil || got.Obligations != nil) {
		t.Errorf("an evaluation that failed yielded %+v", got)
	}
	if explanation := got.Explanation; explanation != nil {
		if explanation.Rules == nil || explanation.Facts == nil {
			t.Error("a list of the explanation is nil, not empty")
		}
		if c.Rules != nil {
			compare(t, explanation.Rules, c.Rules)
		}
		if c.Facts != nil {
			compare(t, explanation.Facts, c.Facts)
		}
		got.Explanation = nil
	}
	if err == nil {
		compare(t, got, c.Want)
	}
}

func checkError(t testing.TB, err error, kind authz.Kind, text string) {
	t.Helper()
	switch {
	case text == "" && err != nil:
		t.Errorf("unexpected error: %v", err)
	case text != "" && err == nil:
		t.Errorf("there is no error; expected %s with %q", kind, text)
	case text != "" && (authz.KindOf(err) != kind || !strings.Contains(err.Error(), text)):
		t.Errorf("error is %s: %v\nexpected %s with %q", authz.KindOf(err), err, kind, text)
	}
}

func compare[T any](t testing.TB, got, want T) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
}

// request is the request of a case that gives none.
func request() *authz.Request {
	return &authz.Request{
		Tenant:   Tenant,
		Subject:  authz.Subject{Type: "user", ID: "mina"},
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "record", ID: "r1"},
	}
}

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// allowed and denied are the outcomes of most cases.
func allowed() eval.Output { return eval.Output{Allow: true} }

func denied() eval.Output { return eval.Output{} }
