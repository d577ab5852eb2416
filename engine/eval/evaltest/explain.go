package evaltest

import (
	"context"
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
// cut short, and that the decision stands.
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
}
