package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

// Of many rules a person is shown the closest in full, others on a line or two,
// and the number of the rest.
func TestExplanationOfManyRules(t *testing.T) {
	e := &authz.Explanation{}
	for i := range 30 {
		e.Rules = append(e.Rules, authz.RuleOutcome{
			Rule: "data.authz.allow", Location: fmt.Sprintf("authz.rego:%d", i), FailedAt: fmt.Sprintf("authz.rego:%d", i),
			FailedExpr: "input.x == y", Values: []authz.ExprValue{{Text: "y", Value: fmt.Sprint(i)}}, Expressions: 1, Rank: 30 - i,
		})
	}
	var out bytes.Buffer
	p := &printer{out: &out}
	if err := p.printExplanation(authz.Decision{Explanation: e}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	if first := strings.Index(text, "authz.rego:29"); first < 0 || first > strings.Index(text, "authz.rego:28") {
		t.Errorf("the closest rule does not come first:\n%s", text)
	}
	if values, rules := strings.Count(text, " y = "), strings.Count(text, "- authz.allow"); values != maxDetailed || rules != maxListed {
		t.Errorf("the values of %d and the places of %d rules are shown, want %d and %d:\n%s", values, rules, maxDetailed, maxListed, text)
	}
	if !strings.Contains(text, "… and 10 more, which --output json shows\n") || strings.Contains(text, "did not hold") {
		t.Errorf("the rest is not counted, or shown elsewhere:\n%s", text)
	}
}

// A person is told what an explanation leaves out, and what the tree does.
func TestExplanationSaysWhatIsLeftOut(t *testing.T) {
	e := &authz.Explanation{RulesLeftOut: 1, FactsLeftOut: 2, CutShort: "the time is up", Facts: []authz.Fact{{Ref: "user:mina", Known: true}}}
	for i := range maxDetailed + 1 {
		e.Rules = append(e.Rules, authz.RuleOutcome{
			Rule: "data.authz.allow", Location: fmt.Sprintf("authz.rego:%d", i+1), FailedAt: fmt.Sprintf("authz.rego:%d", i+1),
			FailedExpr: "x == y", Values: []authz.ExprValue{{Text: "x", Value: "1"}}, ValuesLeftOut: 1, Expressions: 1, RestsOnLeftOut: 3, Rank: i + 1,
		})
	}
	var out bytes.Buffer
	p := &printer{out: &out}
	if err := p.printExplanation(authz.Decision{Explanation: e}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for part, want := range map[string]int{
		"\nnot all rules could be tried for this: the time is up\n\nclosest":  1,
		"      … and rules of 3 more paths that this rests on\n":              maxDetailed,
		"          x = 1\n          … and 1 more value, not told\n":           maxDetailed,
		"not so: x == y\n  … of the last 1, --output json shows the values\n": 1,
		"\n… and 1 more rule, of those that came least close\n":               1,
		"  user:mina\n  … and 2 more\n":                                       1,
	} {
		if strings.Count(text, part) != want {
			t.Errorf("%q is there %d times, want %d:\n%s", part, strings.Count(text, part), want, text)
		}
	}
}

// Rules that several rest on are shown in full once, and no rule below itself.
func TestExplanationOfSharedRules(t *testing.T) {
	failed := func(rule string, rank int, restsOn ...string) authz.RuleOutcome {
		return authz.RuleOutcome{
			Rule: "data." + rule, Location: rule + ".rego:1", FailedAt: rule + ".rego:2", FailedExpr: "x", Values: []authz.ExprValue{{Text: "x"}},
			Expressions: 1, RestsOn: restsOn, Rank: rank,
		}
	}
	e := &authz.Explanation{Rules: []authz.RuleOutcome{
		failed("allow", 1, "data.shared"), failed("allow", 2, "data.shared"),
		failed("shared", 3, "data.loop"), failed("loop", 4, "data.shared"),
	}}
	var out bytes.Buffer
	p := &printer{out: &out}
	if err := p.printExplanation(authz.Decision{Explanation: e}); err != nil {
		t.Fatal(err)
	}
	const want = `
closest to an allow
  - allow  allow.rego:1
      not so: x  (allow.rego:2)
          x is undefined
      - shared  shared.rego:1
          not so: x  (shared.rego:2)
              x is undefined
          - loop  loop.rego:1
              not so: x  (loop.rego:2)
                  x is undefined
  - allow  allow.rego:1
      not so: x  (allow.rego:2)
          x is undefined
      - shared  shared.rego:1
          not so: x  (shared.rego:2)
          … as above
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
