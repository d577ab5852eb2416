package evaltest

import (
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// people are what the cases about values ask for.
const people = `
{"entity": {"type": "user", "id": "mina", "attributes": {"clearance": 2, "name": "Mina", "locked": true, "roles": ["nurse", "staff"], "wards": [{"name": "icu"}, {"name": "er"}]}}}
{"entity": {"type": "record", "id": "r1", "attributes": {"level": 3, "text": "` + longText + `"}}}
`

const longText = "a text that is longer than an explanation tells, a text that is longer than an explanation tells, a text that is longer than an explanation tells, " +
	"a text that is longer than an explanation tells, a text that is longer than an explanation tells, a text that is longer than an explanation tells, the end"

// explainValueCases are about what explanations say of a rule that failed: the
// values where it did, how far it came, and what it rests on.
func explainValueCases() []Case {
	value := func(text, value string) authz.ExprValue { return authz.ExprValue{Text: text, Value: value} }
	// failing is a case of one rule, which stands in line 5 and whose first
	// expression finds the user.
	failing := func(name, expr string, values ...authz.ExprValue) Case {
		return Case{
			Name:      "values of " + name,
			Rego:      "\nallow if {\n\tuser := data.directory.user[input.subject.id]\n\t" + expr + "\n}\n",
			Directory: people,
			Want:      denied(),
			Rules: []authz.RuleOutcome{{
				Rule: "data.authz.allow", Location: "policy.rego:5", FailedAt: "policy.rego:7", FailedExpr: expr,
				Values: values, Passed: 1, Expressions: 2, Rank: 1,
			}},
		}
	}
	requestWith := func(context authz.Object) *authz.Request {
		r := request()
		r.Context = context
		return r
	}
	return []Case{
		failing("two refs that are compared", "user.attributes.clearance >= data.directory.record.r1.attributes.level",
			value("user.attributes.clearance", "2"), value("data.directory.record.r1.attributes.level", "3")),
		failing("a ref that is undefined", "user.attributes.clearance == input.context.level",
			value("user.attributes.clearance", "2"), value("input.context.level", "")),
		failing("a ref that stands for itself", "user.attributes.admin",
			value("user.attributes.admin", "")),
		failing("what not asks for", "not user.attributes.locked",
			value("user.attributes.locked", "true")),
		failing("a call, and what it is called with", "startswith(lower(user.attributes.name), input.action.name)",
			value("lower(user.attributes.name)", `"mina"`), value("user.attributes.name", `"Mina"`), value("input.action.name", `"read"`)),
		failing("a member and a collection", "input.action.name in user.attributes.roles",
			value("input.action.name", `"read"`), value("user.attributes.roles", `["nurse","staff"]`)),
		failing("a set, which is told as in Rego", "input.action.name in {user.attributes.name, user.attributes.clearance}",
			value("input.action.name", `"read"`), value("user.attributes.name", `"Mina"`), value("user.attributes.clearance", "2")),
		failing("a ref through a collection", `user.attributes.wards[_].name == "or"`,
			value("user.attributes.wards[_].name", `["icu","er"]`)),
		failing("a collection without what some asks for", `some "or", ward in user.attributes.wards`,
			value("user.attributes.wards", `[{"name":"icu"},{"name":"er"}]`)),
		failing("a comprehension, but not of what it ranges over", "count([r | some r in user.attributes.roles; r == input.action.name]) > 0",
			value("count([r | some r in user.attributes.roles; r == input.action.name])", "0"),
			value("user.attributes.roles", `["nurse","staff"]`), value("input.action.name", `"read"`)),
		failing("the domain of every", "every r in user.attributes.roles { r != input.action.name; startswith(r, user.attributes.name) }",
			value("user.attributes.roles", `["nurse","staff"]`), value("input.action.name", `"read"`), value("user.attributes.name", `"Mina"`)),
		failing("both sides of or", `user.attributes.name == "Olga" or user.attributes.clearance > 5`,
			value("user.attributes.name", `"Mina"`), value("user.attributes.clearance", "2")),
		failing("a ref under a with", "input.action.name == input.subject.id with input.action.name as user.attributes.name",
			value("input.action.name", `"Mina"`), value("input.subject.id", `"mina"`), value("user.attributes.name", `"Mina"`)),
		failing("a ref that has another as a key", "data.directory.user[input.context.deputy].attributes.name",
			value("data.directory.user[input.context.deputy].attributes.name", ""), value("input.context.deputy", "")),
		failing("a long text, which is cut off", "data.directory.record.r1.attributes.text == user.attributes.name",
			value("data.directory.record.r1.attributes.text", `"`+longText[:299]+"…"), value("user.attributes.name", `"Mina"`)),
		{
			Name: "what the variables of the first attempt that came furthest were",
			Rego: `
allow if {
	some i, ward in [{"a": 0, "b": 0}, {"a": 1, "b": 7}, {"a": 1, "b": 8}, {"a": 2}]
	ward.a == 1
	ward.b == i
}
`,
			Want: denied(),
			Rules: []authz.RuleOutcome{{
				Rule: "data.authz.allow", Location: "policy.rego:5", FailedAt: "policy.rego:8", FailedExpr: "ward.b == i",
				Values: []authz.ExprValue{value("ward.b", "7"), value("i", "1")}, MoreAttempts: 1,
				Passed: 2, Expressions: 3, Rank: 1,
			}},
		},
		{
			Name: "a rule whose head is undefined fails there, and one that is called with other arguments too",
			Rego: `
allow if level(input.action.name) > 2
level("write") := 3
level(name) := input.context.level if startswith(name, "r")
`,
			Want: denied(),
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", FailedAt: "policy.rego:5", FailedExpr: "level(input.action.name) > 2",
					Values: []authz.ExprValue{value("input.action.name", `"read"`)}, Expressions: 1, RestsOn: []string{"data.authz.level"}, Rank: 1,
				},
				{Rule: "data.authz.level", Location: "policy.rego:6", FailedAt: "policy.rego:6", FailedExpr: `level("write") := 3`, Rank: 3},
				{
					Rule: "data.authz.level", Location: "policy.rego:7", FailedAt: "policy.rego:7", FailedExpr: "level(name) := input.context.level",
					Values: []authz.ExprValue{value("name", `"read"`), value("input.context.level", "")}, Passed: 1, Expressions: 2, Rank: 2,
				},
			},
		},
		{
			Name: "a rule that is false does not hold, though its body does",
			Rego: `
allow := clear(input.subject.id) == "nils"
clear(name) := false if input.action.name == "write"
clear(name) := name if ready
ready := true if input.action.name == "read" else := false
`,
			Want: denied(),
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", FailedAt: "policy.rego:5", FailedExpr: `allow := clear(input.subject.id) == "nils"`,
					Values: []authz.ExprValue{
						value(`clear(input.subject.id) == "nils"`, "false"), value("clear(input.subject.id)", `"mina"`), value("input.subject.id", `"mina"`),
					},
					Expressions: 1, RestsOn: []string{"data.authz.clear"}, Rank: 1,
				},
				{
					Rule: "data.authz.clear", Location: "policy.rego:6", FailedAt: "policy.rego:6", FailedExpr: `input.action.name == "write"`,
					Values:      []authz.ExprValue{value("input.action.name", `"read"`)},
					Expressions: 1, Rank: 2,
				},
				{Rule: "data.authz.clear", Location: "policy.rego:7", Held: true, Passed: 1, Expressions: 1, RestsOn: []string{"data.authz.ready"}},
				{Rule: "data.authz.ready", Location: "policy.rego:8", Held: true, Passed: 1, Expressions: 1},
			},
		},
		{
			Name: "rules are ranked by how far they came, with what they rest on",
			Rego: `
allow if {
	input.action.name == "write"
	input.subject.type == "user"
}
allow if {
	input.action.name == "read"
	reader
	input.subject.id == "olga"
}
allow if {
	input.action.name == "read"
	not closed
}
reader if {
	input.subject.type == "user"
	input.resource.type == "record"
	input.subject.id == "nils"
}
closed if input.resource.type == "record"
closed if input.resource.type == "safe"
reasons contains "known" if input.context.known
`,
			Want: denied(),
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", FailedAt: "policy.rego:6", FailedExpr: `input.action.name == "write"`,
					Values: []authz.ExprValue{value("input.action.name", `"read"`)}, Expressions: 2, Rank: 4,
				},
				{
					Rule: "data.authz.allow", Location: "policy.rego:9", FailedAt: "policy.rego:11", FailedExpr: "reader",
					Values: []authz.ExprValue{value("reader", "")}, Passed: 1, Expressions: 3, RestsOn: []string{"data.authz.reader"}, Rank: 2,
				},
				{
					Rule: "data.authz.allow", Location: "policy.rego:14", FailedAt: "policy.rego:16", FailedExpr: "not closed",
					Values: []authz.ExprValue{value("closed", "true")}, Passed: 1, Expressions: 2, RestsOn: []string{"data.authz.closed"}, Rank: 3,
				},
				{
					Rule: "data.authz.reader", Location: "policy.rego:18", FailedAt: "policy.rego:21", FailedExpr: `input.subject.id == "nils"`,
					Values: []authz.ExprValue{value("input.subject.id", `"mina"`)}, Passed: 2, Expressions: 3, Rank: 1,
				},
				{Rule: "data.authz.closed", Location: "policy.rego:23", Held: true, Passed: 1, Expressions: 1},
				{
					Rule: "data.authz.closed", Location: "policy.rego:24", FailedAt: "policy.rego:24", FailedExpr: `input.resource.type == "safe"`,
					Values: []authz.ExprValue{value("input.resource.type", `"record"`)}, Expressions: 1,
				},
				{
					Rule: "data.authz.reasons", Location: "policy.rego:25", FailedAt: "policy.rego:25", FailedExpr: "input.context.known",
					Values: []authz.ExprValue{value("input.context.known", "")}, Expressions: 1,
				},
			},
		},
		{
			Name: "values are those that the rule saw, under a with elsewhere",
			Rego: `
allow if reader with input.subject.id as "nils"
reader if input.subject.id == "olga"
`,
			Want: denied(),
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", FailedAt: "policy.rego:5", FailedExpr: `reader with input.subject.id as "nils"`,
					Values: []authz.ExprValue{value("reader", "")}, Expressions: 1, RestsOn: []string{"data.authz.reader"}, Rank: 1,
				},
				{
					Rule: "data.authz.reader", Location: "policy.rego:6", FailedAt: "policy.rego:6", FailedExpr: `input.subject.id == "olga"`,
					Values: []authz.ExprValue{value("input.subject.id", `"nils"`)}, Expressions: 1, Rank: 2,
				},
			},
		},
		{
			Name: "values are those that the expression saw, under a with of its own that replaces a function and data",
			Rego: `
allow if level + data.more == 7 with double as triple with data.more as 10
level := double(input.context.level)
double(x) := 2 * x
triple(x) := 3 * x
`,
			Data:    `{"more": 1}`,
			Request: requestWith(authz.Object{"level": 4}),
			Want:    denied(),
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", FailedAt: "policy.rego:5",
					FailedExpr:  "level + data.more == 7 with double as triple with data.more as 10",
					Values:      []authz.ExprValue{value("level + data.more", "22"), value("level", "12"), value("data.more", "10")},
					Expressions: 1, RestsOn: []string{"data.authz.level", "data.authz.triple"}, Rank: 1,
				},
				{Rule: "data.authz.level", Location: "policy.rego:6", Held: true, Passed: 1, Expressions: 1},
				{Rule: "data.authz.triple", Location: "policy.rego:8", Held: true, Passed: 1, Expressions: 1},
			},
		},
		{
			Name: "a rule with a path for a name that is false does not hold, unless it is a member",
			Rego: `
allow if flags.open.now
flags.open.now := false if input.subject.id == "mina"
obligations["log"] := false if input.subject.id == "mina"
obligations[name] := false if some name in ["notify"]
`,
			Want: eval.Output{Obligations: authz.Object{"log": false, "notify": false}},
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", FailedAt: "policy.rego:5", FailedExpr: "flags.open.now",
					Values: []authz.ExprValue{value("flags.open.now", "false")}, Expressions: 1, RestsOn: []string{"data.authz.flags.open.now"}, Rank: 1,
				},
				{
					Rule: "data.authz.flags.open.now", Location: "policy.rego:6", FailedAt: "policy.rego:6", FailedExpr: "flags.open.now := false",
					Passed: 1, Expressions: 1, Rank: 2,
				},
				{Rule: "data.authz.obligations.log", Location: "policy.rego:7", Held: true, Passed: 1, Expressions: 1},
				{Rule: "data.authz.obligations", Location: "policy.rego:8", Held: true, Passed: 1, Expressions: 1},
			},
		},
		{
			Name: "a partial rule that is asked for a key is tried for that key",
			Rego: `
allow if readers[input.subject.id]
allow if input.resource.id in circles[input.subject.id]
readers contains "olga" if input.context.open
readers contains id if {
	some id in ["nils", input.subject.id, "olga"]
	id != "mina"
}
readers contains lower(name) if some name in ["Olga", "Nils"]
circles[id] contains "r1" if {
	some id in ["mina", "nils"]
	id != "mina"
}
`,
			Want: denied(),
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", FailedAt: "policy.rego:5", FailedExpr: "readers[input.subject.id]",
					Values: []authz.ExprValue{value("readers[input.subject.id]", ""), value("input.subject.id", `"mina"`)}, Expressions: 1, RestsOn: []string{"data.authz.readers"}, Rank: 1,
				},
				{
					Rule: "data.authz.allow", Location: "policy.rego:6", FailedAt: "policy.rego:6", FailedExpr: "input.resource.id in circles[input.subject.id]",
					Values: []authz.ExprValue{value("input.resource.id", `"r1"`), value("circles[input.subject.id]", ""), value("input.subject.id", `"mina"`)}, Expressions: 1, RestsOn: []string{"data.authz.circles"}, Rank: 2,
				},
				{Rule: "data.authz.readers", Location: "policy.rego:7", FailedAt: "policy.rego:7", FailedExpr: `readers contains "olga"`, Expressions: 1, Rank: 6},
				{
					Rule: "data.authz.readers", Location: "policy.rego:8", FailedAt: "policy.rego:10", FailedExpr: `id != "mina"`,
					Values: []authz.ExprValue{value("id", `"mina"`)}, Passed: 1, Expressions: 2, Rank: 3,
				},
				{
					Rule: "data.authz.readers", Location: "policy.rego:12", FailedAt: "policy.rego:12", FailedExpr: "readers contains lower(name)",
					Values: []authz.ExprValue{value("name", `"Olga"`)}, MoreAttempts: 1, Passed: 1, Expressions: 2, Rank: 4,
				},
				{
					Rule: "data.authz.circles", Location: "policy.rego:13", FailedAt: "policy.rego:15", FailedExpr: `id != "mina"`,
					Values: []authz.ExprValue{value("id", `"mina"`)}, Passed: 1, Expressions: 2, Rank: 5,
				},
			},
		},
		{
			Name: "elses are told by themselves, and rules that conflict err",
			Rego: `
allow if level == 3
level := 1 if input.context.low
else := 2 if input.action.name == "read"
level := 3
`,
			Kind: authz.Evaluation, Text: "eval_conflict_error",
			Rules: []authz.RuleOutcome{
				{
					Rule: "data.authz.allow", Location: "policy.rego:5", Erred: true, FailedAt: "policy.rego:5", FailedExpr: "level == 3",
					ValuesLeftOut: 1, Expressions: 1, RestsOn: []string{"data.authz.level"},
				},
				{
					Rule: "data.authz.level", Location: "policy.rego:6", FailedAt: "policy.rego:6", FailedExpr: "input.context.low",
					Values: []authz.ExprValue{value("input.context.low", "")}, Expressions: 1,
				},
				{Rule: "data.authz.level", Location: "policy.rego:7", Held: true, Passed: 1, Expressions: 1},
				{Rule: "data.authz.level", Location: "policy.rego:8", Erred: true},
			},
		},
		{
			Name: "rules are in the order of the source and of what they ask for, not in that of trying",
			Rego: `
allow if { first; last }
first if input.action.name == "read"
last if input.action.name == "read"
first if input.action.name == "write"
allow if input.action.name == "read"
` + strings.Repeat("\n", 3) + `reasons contains "first" if first
`,
			Want: eval.Output{Allow: true, Reasons: []string{"first"}},
			Rules: []authz.RuleOutcome{
				{Rule: "data.authz.allow", Location: "policy.rego:5", Held: true, Passed: 2, Expressions: 2, RestsOn: []string{"data.authz.first", "data.authz.last"}},
				{Rule: "data.authz.allow", Location: "policy.rego:9", Held: true, Passed: 1, Expressions: 1},
				{Rule: "data.authz.first", Location: "policy.rego:6", Held: true, Passed: 1, Expressions: 1},
				{
					Rule: "data.authz.first", Location: "policy.rego:8", FailedAt: "policy.rego:8", FailedExpr: `input.action.name == "write"`,
					Values: []authz.ExprValue{value("input.action.name", `"read"`)}, Expressions: 1,
				},
				{Rule: "data.authz.last", Location: "policy.rego:7", Held: true, Passed: 1, Expressions: 1},
				{Rule: "data.authz.reasons", Location: "policy.rego:13", Held: true, Passed: 1, Expressions: 1, RestsOn: []string{"data.authz.first"}},
			},
		},
	}
}
