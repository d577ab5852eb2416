package evaltest

import "github.com/verdictpdp/verdict/api/authz"

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
				{Rule: "data.authz.allow", Location: "policy.rego:6", FailedAt: "policy.rego:6", FailedExpr: `input.action.name == "write"`},
				{Rule: "data.authz.allow", Location: "policy.rego:7", Held: true},
				{Rule: "data.authz.reader", Location: "policy.rego:8", Held: true},
				{Rule: "data.authz.deny", Location: "policy.rego:11", FailedAt: "policy.rego:11", FailedExpr: `input.resource.type == "safe"`},
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
				{Rule: "data.authz.allow", Location: "policy.rego:5", Held: true},
				{Rule: "data.authz.big", Location: "policy.rego:9", Held: true},
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
				{Rule: "data.authz.allow", Location: "policy.rego:5", Erred: true, FailedAt: "policy.rego:6", FailedExpr: `to_number(data.directory.user.mina.attributes.text) > 3`},
				{Rule: "data.authz.allow", Location: "policy.rego:9", Held: true},
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
				{Rule: "data.authz.allow", Location: "policy.rego:5", Erred: true, FailedAt: "policy.rego:5", FailedExpr: `to_number(input.subject.id)`},
				{Rule: "data.authz.deny", Location: "policy.rego:6", Erred: true},
				{Rule: "data.authz.open", Location: "policy.rego:7", Erred: true, FailedAt: "policy.rego:7", FailedExpr: `to_number(input.subject.id) == 6`},
				{Rule: "data.authz.reasons", Location: "policy.rego:8", Held: true},
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
