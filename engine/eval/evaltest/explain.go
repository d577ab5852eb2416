package evaltest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// explainCases are about explanations. The lines are those of the module, whose
// text begins in line 4.
func explainCases() []Case {
	return []Case{
		{
			Name: "a rule that fails says where",
			Rego: `
# METADATA
# title: Nurses read the records of their ward
allow if {
	user := data.directory.user[input.subject.id]
	user.attributes.title == "doctor"
	input.action.name == "read"
}
`,
			Directory: ward,
			Want:      denied(),
			Rules: []authz.RuleOutcome{{
				Rule: "data.authz.allow", Title: "Nurses read the records of their ward", Location: "policy.rego:7",
				FailedAt: "policy.rego:9", FailedExpr: `user.attributes.title == "doctor"`,
				Values: []authz.ExprValue{{Text: "user.attributes.title", Value: `"nurse"`}},
				Passed: 1, Expressions: 3, Rank: 1,
			}},
			Facts: []authz.Fact{{Ref: "user:mina", Known: true}},
		},
		{
			Name: "rules that hold and rules that do not, those that an index would pass over included",
			Rego: `
default allow := false
allow if input.action.name == "write"
allow if reader
reader if {
	not  input.subject.id == "olga"
}
deny contains "locked" if input.resource.type == "safe"
`,
			Want: allowed(),
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:6", FailedAt: "policy.rego:6", FailedExpr: `input.action.name == "write"`,
					Values: []authz.ExprValue{{Text: "input.action.name", Value: `"read"`}}, Expressions: 1,
				},
				{Rule: "data.authz.allow", Location: "policy.rego:7", Held: true, Passed: 1, Expressions: 1, RestsOn: []string{"data.authz.reader"}},
				{Rule: "data.authz.reader", Location: "policy.rego:8", Held: true, Passed: 1, Expressions: 1},
				{
					Rule: "data.authz.deny", Location: "policy.rego:11", FailedAt: "policy.rego:11", FailedExpr: `input.resource.type == "safe"`,
					Values: []authz.ExprValue{{Text: "input.resource.type", Value: `"record"`}}, Expressions: 1,
				},
			},
		},
		{
			Name: "a rule tried many times is told once",
			Rego: `
allow if {
	some x in [1, 2, 3]
	big(x)
}
big(x) if x > 2
`,
			Want: allowed(),
			Rules: []authz.RuleOutcome{
				{Rule: "data.authz.allow", Location: "policy.rego:5", Held: true, Passed: 2, Expressions: 2, RestsOn: []string{"data.authz.big"}},
				{Rule: "data.authz.big", Location: "policy.rego:9", Held: true, Passed: 1, Expressions: 1},
			},
		},
		{
			Name: "expressions of inner queries are not the rule's",
			Rego: `
allow if {
	count([x | some x in [1, 2]; x > 5]) == 0
	every x in [1, 2] { x < 3 }
	not input.subject.id == "mina"
}
`,
			Want: denied(),
			Rules: []authz.RuleOutcome{{
				Rule: "data.authz.allow", Location: "policy.rego:5",
				FailedAt: "policy.rego:8", FailedExpr: `not input.subject.id == "mina"`,
				Values: []authz.ExprValue{{Text: "input.subject.id", Value: `"mina"`}},
				Passed: 2, Expressions: 3, Rank: 1,
			}},
		},
		{
			Name: "a rule that an index passes over errs only in the explanation",
			Rego: `
allow if {
	to_number(data.directory.user.mina.attributes.text) > 3
	input.action.name == "write"
}
allow if input.action.name == "read"
`,
			Directory: zero,
			Want:      allowed(),
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", Erred: true, FailedAt: "policy.rego:6", FailedExpr: `to_number(data.directory.user.mina.attributes.text) > 3`,
					Values: []authz.ExprValue{{Text: "data.directory.user.mina.attributes.text", Value: `"two"`}}, Expressions: 2,
				},
				{Rule: "data.authz.allow", Location: "policy.rego:9", Held: true, Passed: 1, Expressions: 1},
			},
			Facts: []authz.Fact{{Ref: "user:mina", Known: true}},
		},
		{
			Name: "a rule that errs does not hold, nor does one that holds by it",
			Rego: `
allow if not to_number(input.subject.id) == 5
deny contains "closed" if not open
open if to_number(input.subject.id) == 6
reasons contains "known" if input.subject.id
`,
			Kind: authz.Evaluation, Text: "to_number",
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", Erred: true, FailedAt: "policy.rego:5", FailedExpr: `not to_number(input.subject.id) == 5`,
					Values: []authz.ExprValue{{Text: "input.subject.id", Value: `"mina"`}}, Expressions: 1,
				},
				{Rule: "data.authz.deny", Location: "policy.rego:6", Erred: true, Expressions: 1, RestsOn: []string{"data.authz.open"}},
				{
					Rule: "data.authz.open", Location: "policy.rego:7", Erred: true, FailedAt: "policy.rego:7", FailedExpr: `to_number(input.subject.id) == 6`,
					Values: []authz.ExprValue{{Text: "input.subject.id", Value: `"mina"`}}, Expressions: 1,
				},
				{Rule: "data.authz.reasons", Location: "policy.rego:8", Held: true, Passed: 1, Expressions: 1},
			},
			Facts: []authz.Fact{},
		},
		{
			Name: "an evaluation that fails is explained up to there",
			Rego: `
allow if 1 / data.directory.user.mina.attributes.zero == 1
`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "divide by zero",
			Facts: []authz.Fact{{Ref: "user:mina", Known: true}},
		},
	}
}

// runCutShort checks that an explanation which takes longer than there is time is
// cut short and says so, and that the decision stands.
func runCutShort(t *testing.T, evaluator eval.Evaluator) {
	c := Case{Rego: `
allow if input.action.name == "read"
deny contains "never" if {
	count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 5000); i + j == 0]) == 1
	input.action.name == "write"
}
`}
	program := c.Prepare(t, evaluator)
	program.(eval.Explainer).PrepareExplaining()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	in := c.Input(t)
	in.Steps, in.Explain = 1<<40, true
	out, err := program.Eval(ctx, in)
	if err != nil || !out.Allow || len(out.Deny) > 0 {
		t.Errorf("allow is %v, deny %q, error %v", out.Allow, out.Deny, err)
	}
	compare(t, out.Explanation.Rules, []authz.RuleOutcome{
		{Rule: "data.authz.allow", Location: "policy.rego:5", Held: true, Passed: 1, Expressions: 1},
		{Rule: "data.authz.deny", Location: "policy.rego:6", Expressions: 2},
	})
	if out.Explanation.CutShort == "" {
		t.Error("the explanation does not say that it is cut short")
	}
}

// runAtBounds checks that an explanation says what it has left out beyond its
// bounds, and nothing at them. The bounds are those of package explain.
func runAtBounds(t *testing.T, evaluator eval.Evaluator) {
	explain := func(t *testing.T, c Case) *authz.Explanation {
		t.Helper()
		in := c.Input(t)
		in.Explain = true
		out, err := c.Prepare(t, evaluator).Eval(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out.Explanation
	}
	repeat := func(n int, line string) string {
		var text strings.Builder
		for i := range n {
			text.WriteString(strings.ReplaceAll(line, "#", strconv.Itoa(i)))
		}
		return text.String()
	}
	for _, beyond := range []int{0, 1, 20} {
		t.Run(fmt.Sprintf("%d rules beyond", beyond), func(t *testing.T) {
			e := explain(t, Case{Rego: repeat(1_000+beyond, "allow if input.context.x == #\n")})
			if len(e.Rules) != 1_000 || e.RulesLeftOut != beyond || e.CutShort != "" {
				t.Errorf("%d rules are told, %d are left out, cut short by %q", len(e.Rules), e.RulesLeftOut, e.CutShort)
			}
		})
		t.Run(fmt.Sprintf("%d facts beyond", beyond), func(t *testing.T) {
			e := explain(t, Case{
				Rego:      "allow if { some i in numbers.range(1, " + strconv.Itoa(1_000+beyond) + "); data.directory.user[sprintf(\"u%d\", [i])].attributes.x }\n",
				Directory: repeat(5, `{"entity": {"type": "user", "id": "u#"}}`+"\n"),
				Entities:  10_000,
			})
			if len(e.Facts) != 1_000 || e.FactsLeftOut != beyond {
				t.Errorf("%d facts are told, %d are left out", len(e.Facts), e.FactsLeftOut)
			}
		})
		t.Run(fmt.Sprintf("%d operands beyond", beyond), func(t *testing.T) {
			e := explain(t, Case{Rego: "allow if {1" + repeat(15+beyond, ", input.context.x#") + "} == {input.action.name}\n"})
			if told := e.Rules[0]; len(told.Values) != 16 || told.ValuesLeftOut != beyond {
				t.Errorf("%d values are told, %d are left out", len(told.Values), told.ValuesLeftOut)
			}
		})
		t.Run(fmt.Sprintf("%d paths beyond", beyond), func(t *testing.T) {
			e := explain(t, Case{Rego: "allow if count([x | some x in [1" + repeat(32+beyond, ", r#") + "]]) == 0\n" + repeat(32+beyond, "r# if input.action.name == \"read\"\n")})
			if told := e.Rules[0]; len(told.RestsOn) != 32 || told.RestsOnLeftOut != beyond {
				t.Errorf("the paths %v are told, %d are left out", told.RestsOn, told.RestsOnLeftOut)
			}
		})
		t.Run(fmt.Sprintf("a title %d characters too long", beyond), func(t *testing.T) {
			title := strings.Repeat("x", 300+beyond)
			want := title
			if beyond > 0 {
				want = title[:300] + "…"
			}
			compare(t, explain(t, Case{Rego: "\n# METADATA\n# title: " + title + "\nallow if input.context.x\n"}).Rules[0].Title, want)
		})
		t.Run(fmt.Sprintf("a text %d characters too long", beyond), func(t *testing.T) {
			const expr = "input.context.x == ``"
			text := strings.Replace(expr, "``", "`"+strings.Repeat("x", 300-len(expr)+beyond)+"`", 1)
			want := text
			if beyond > 0 {
				want = text[:300] + "…"
			}
			compare(t, explain(t, Case{Rego: "allow if " + text + "\n"}).Rules[0].FailedExpr, want)
		})
	}
	t.Run("what would read all of the directory", func(t *testing.T) {
		e := explain(t, Case{Rego: "allow if data.directory[input.subject.type] == {}\n", Directory: ward})
		if told := e.Rules[0]; len(told.Values) != 1 || told.ValuesLeftOut != 1 {
			t.Errorf("values %v are told, %d are left out", told.Values, told.ValuesLeftOut)
		}
	})
	t.Run("steps that the decision does not take", func(t *testing.T) {
		if evaluator.Name() == "topdown" {
			t.Skip("topdown counts no steps")
		}
		c := Case{Rego: `
allow if input.action.name == "read"
allow if {
	count([1 | some i in numbers.range(1, 1000); some j in numbers.range(1, 1000); i == j]) == 1000
	input.action.name == "write"
}
`}
		in := c.Input(t)
		in.Steps, in.Explain = 100_000, true
		out, err := c.Prepare(t, evaluator).Eval(t.Context(), in)
		if err != nil || !out.Allow {
			t.Fatalf("allow is %v, error %v", out.Allow, err)
		}
		if !strings.Contains(out.Explanation.CutShort, "100000") {
			t.Errorf("the explanation is cut short by %q", out.Explanation.CutShort)
		}
	})
	t.Run("an error with which the decision ends", func(t *testing.T) {
		c := Case{Rego: "allow if level == 1\nlevel := 1 if input.action.name == \"read\"\nlevel := 2 if input.subject.id == \"mina\"\n"}
		in := c.Input(t)
		in.Explain = true
		out, err := c.Prepare(t, evaluator).Eval(t.Context(), in)
		if err == nil || out.Explanation.CutShort != "" {
			t.Errorf("error %v, the explanation is cut short by %q", err, out.Explanation.CutShort)
		}
	})
}
