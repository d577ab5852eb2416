package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

func TestValueText(t *testing.T) {
	for _, test := range []struct {
		value string
		most  int
		want  string
	}{
		{`"a<b>"`, 80, `"a<b>"`},
		{`{"a": [1, null, true], "b": {}}`, 80, `{"a":[1,null,true],"b":{}}`},
		{`{"a", 1}`, 80, `{1,"a"}`},
		{`set()`, 80, `set()`},
		{`9007199254740993`, 80, `9007199254740993`},
		{`["a", "b"]`, 9, `["a","b"]`},
		{`["a", "b"]`, 8, `["a","b"…`},
		{`"0123456789"`, 5, `"0123…`},
		{`"ääää"`, 4, `"ä…`},
		{`[[1, 2], [3, 4]]`, 3, `[[1…`},
	} {
		if got := valueText(ast.MustParseTerm(test.value).Value, test.most); got != test.want {
			t.Errorf("%s in %d bytes is %s, want %s", test.value, test.most, got, test.want)
		}
	}
}

// What is longer than it may be is not written to its end first.
func TestLongValuesAreNotWritten(t *testing.T) {
	members := make([]*ast.Term, 100_000)
	for i := range members {
		members[i] = ast.InternedTerm(i)
	}
	w := writer{most: 10}
	w.value(ast.NewArray(members...))
	if written := w.text.Len(); written > 20 {
		t.Errorf("%d bytes are written for 10", written)
	}
}

// Each step of a rule belongs to an expression of its source, in every bundle
// that is shipped, and each expression has steps of its own.
func TestStepsHaveExpressions(t *testing.T) {
	lib, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"workforce", "customer", "hybrid"} {
		b, err := bundle.ReadFS(bundles.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		policy, err := rego.Compile(b.With(lib), rego.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range New(policy).Rules() {
			for step, expr := range rule.Compiled.Body {
				if e := rule.expression(step); e == nil && !isTrue(expr) || e != nil && !extentOf(e.at).contains(expr.Location) && e.at != rule.Compiled.Head.Location {
					t.Errorf("%s: %v is of no expression", rule.location, expr)
				}
			}
			for _, e := range rule.expressions {
				if len(e.steps) == 0 {
					t.Errorf("%s: %s has no steps", rule.location, e.at.Text)
				}
			}
		}
	}
}

// compiled is a policy of many rules, each of two expressions.
func compiled(t *testing.T, rules int) *Policy {
	t.Helper()
	var text strings.Builder
	text.WriteString("package authz\n\nimport rego.v2\n\n")
	for i := range rules {
		fmt.Fprintf(&text, "allow if { input.context.a == %d; input.context.b == %d }\n", i, i)
	}
	b, err := bundle.ReadFS(fstest.MapFS{"policy.rego": {Data: []byte(text.String())}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := rego.Compile(b, rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return New(policy)
}

// Of more rules than an explanation has room for, those are told that came
// closest, in the order of the source, and how many more there are.
func TestTheClosestOfTooManyRulesAreTold(t *testing.T) {
	policy := compiled(t, maxRules+200)
	record := policy.NewRecord()
	for i, rule := range policy.Rules() {
		trial := record.Enter(rule)
		trial.Reach(0)
		if i == maxRules+100 {
			trial.Reach(1)
		}
	}
	explanation := record.Explain(Decision{Values: func(*Trial) []*ast.Array { return nil }})
	told := explanation.Rules
	if len(told) != maxRules || explanation.RulesLeftOut != 200 {
		t.Fatalf("%d rules are told and %d left out, want %d and 200", len(told), explanation.RulesLeftOut, maxRules)
	}
	closest := slices.IndexFunc(told, func(r authz.RuleOutcome) bool { return r.Rank == 1 })
	if closest != maxRules-1 || told[closest].Passed != 1 || told[closest].Location != fmt.Sprintf("policy.rego:%d", maxRules+105) {
		t.Errorf("the closest is rule %d, %+v", closest, told[closest])
	}
}

// Values beyond what an explanation has room for are left out and counted, those
// of the closest rules last.
func TestValuesAreBounded(t *testing.T) {
	policy := compiled(t, maxRules)
	record := policy.NewRecord()
	for i, rule := range policy.Rules() {
		trial := record.Enter(rule)
		trial.Reach(0)
		if i == maxRules-1 {
			trial.Reach(1)
		}
	}
	long := ast.NewArray(ast.StringTerm(strings.Repeat("x", 10_000)))
	size, leftOut, last := 0, 0, authz.RuleOutcome{}
	for _, rule := range record.Explain(Decision{Values: func(*Trial) []*ast.Array { return []*ast.Array{long} }}).Rules {
		for _, v := range rule.Values {
			size += len(v.Text) + len(v.Value)
		}
		if leftOut += rule.ValuesLeftOut; len(rule.Values)+rule.ValuesLeftOut != 1 {
			t.Errorf("%s: values %v are told and %d left out", rule.Location, rule.Values, rule.ValuesLeftOut)
		}
		last = rule
	}
	if size > maxAllValues || size < maxAllValues-1_000 || leftOut == 0 {
		t.Errorf("%d bytes of values are told, of %d, and %d values left out", size, maxAllValues, leftOut)
	}
	if len(last.Values) != 1 {
		t.Errorf("the values of the closest rule are not told: %+v", last)
	}
}
