package evaltest

import (
	"encoding/json"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// ruleCases are about what the rules of the decision yield.
func ruleCases() []Case {
	return []Case{
		{
			Name: "allow that holds",
			Rego: `allow if input.action.name == "read"`,
			Want: allowed(),
		},
		{
			Name: "undefined allow is no",
			Rego: `allow if input.action.name == "write"`,
			Want: denied(),
		},
		{
			Name: "default allow is false",
			Rego: `default allow := false
allow if input.action.name == "write"`,
			Want: denied(),
		},
		{
			Name: "one of several allow rules holds",
			Rego: `allow if input.action.name == "write"
allow if input.resource.type == "record"`,
			Want: allowed(),
		},
		{
			Name: "else decides",
			Rego: `allow := false if { input.action.name == "read" } else := true`,
			Want: denied(),
		},
		{
			Name: "deny comes beside allow",
			Rego: `allow if true
deny contains "b is wrong" if input.action.name == "read"
deny contains "a is wrong" if input.action.name == "read"
deny contains "not this" if input.action.name == "write"`,
			Want: eval.Output{Allow: true, Deny: []string{"a is wrong", "b is wrong"}},
		},
		{
			Name: "an empty deny denies nothing",
			Rego: `allow if true
deny contains "no" if false`,
			Want: allowed(),
		},
		{
			Name: "reasons are sorted and each stands once",
			Rego: `allow if true
reasons contains r if some r in ["z", "a", "z"]`,
			Want: eval.Output{Allow: true, Reasons: []string{"a", "z"}},
		},
		{
			Name: "obligations of all types",
			Rego: `allow if false
obligations["mfa"] := true
obligations["none"] := null
obligations["text"] := "é"
obligations["list"] := [1, "two", [3]]
obligations["set"] := {"b", "a"}
obligations["nested"] := {"quota": {"day": 1000}}
obligations["exact"] := 9007199254740993
obligations["fraction"] := 0.1`,
			Want: eval.Output{Obligations: authz.Object{
				"mfa": true, "none": nil, "text": "é",
				"list":   []any{json.Number("1"), "two", []any{json.Number("3")}},
				"set":    []any{"a", "b"},
				"nested": map[string]any{"quota": map[string]any{"day": json.Number("1000")}},
				"exact":  json.Number("9007199254740993"), "fraction": json.Number("0.1"),
			}},
		},
		{
			Name: "no obligations is nil",
			Rego: `allow if true
obligations := {}`,
			Want: allowed(),
		},
		{
			Name: "obligations read from the directory are the caller's to change",
			Rego: `allow if true
obligations["mask"] := data.directory.record.r1.attributes.mask`,
			Directory: `{"entity": {"type": "record", "id": "r1", "attributes": {"mask": {"fields": ["ssn"]}}}}`,
			Want:      eval.Output{Allow: true, Obligations: authz.Object{"mask": map[string]any{"fields": []any{"ssn"}}}},
		},
		{
			Name: "static data, alone and beside the directory",
			Rego: `allow if {
	data.limits.read[0].max == 3
	data.directory.user.mina.attributes.level <= data.limits.read[0].max
	count(data.limits) == 1
	not data.limits.write
	not data.limits.read[1]
}`,
			Data:      `{"limits": {"read": [{"max": 3}]}}`,
			Directory: `{"entity": {"type": "user", "id": "mina", "attributes": {"level": 2}}}`,
			Want:      allowed(),
		},
		{
			Name: "the decision's time",
			Rego: `allow if time.now_ns() == 1772366400000000000
reasons contains time.format(time.now_ns()) if true`,
			Want: eval.Output{Allow: true, Reasons: []string{"2026-03-01T12:00:00Z"}},
		},
		{
			Name: "rego.v2: not of what is undefined is true",
			Rego: `allow if not startswith(input.context.ip, "10.")
deny contains "no MFA" if not input.context.mfa == true`,
			Want: eval.Output{Allow: true, Deny: []string{"no MFA"}},
		},
		{
			Name: "every, functions and comprehensions",
			Rego: `allow if {
	every x in [2, 4] { even(x) }
	{y | some x in [1, 2]; y := x * 2} == {2, 4}
	{k: v | some k, v in {"a": 1}} == {"a": 1}
}
even(x) if x % 2 == 0`,
			Want: allowed(),
		},
		{
			Name: "with replaces input and the directory",
			Rego: `allow if {
	level == 9 with data.directory.user.mina.attributes.level as 9
	level == 9 with data.directory as {"user": {"mina": {"attributes": {"level": 9}}}}
	who == "olga" with input.subject.id as "olga"
	level == 2
}
level := data.directory.user.mina.attributes.level
who := input.subject.id`,
			Directory: `{"entity": {"type": "user", "id": "mina", "attributes": {"level": 2}}}`,
			Want:      allowed(),
		},
		{
			Name: "regular expressions and globs",
			Rego: `allow if {
	regex.match("^[a-z]+$", input.subject.id)
	glob.match("rec*", [], input.resource.type)
}`,
			Want: allowed(),
		},
		{
			Name: "many rules under an index",
			Rego: `allow if rights[input.action.name]
rights["read"] if input.resource.type == "record"
rights["write"] if input.resource.type == "draft"
rights[name] if { some name in ["list"]; input.resource.type == "folder" }`,
			Want: allowed(),
		},
	}
}

// inputCases are about the document input.
func inputCases() []Case {
	full := request()
	full.Subject.Properties = authz.Object{"role": "admin"}
	full.Action.Properties = authz.Object{"bulk": false}
	full.Resource.Properties = authz.Object{"size": json.Number("9007199254740993"), "tags": []any{"a", nil}}
	full.Context = authz.Object{"ip": "10.0.0.7", "score": 0.25, "count": 7, "large": int64(1) << 60, "nested": map[string]any{"x": []any{}}}
	unusual := request()
	unusual.Subject = authz.Subject{Type: "No Such Type", ID: "a:b/c"}
	return []Case{
		{
			Name: "all parts are always there",
			Rego: `allow if input == {
	"tenant": "clinic",
	"subject": {"type": "user", "id": "mina", "properties": {}},
	"action": {"name": "read", "properties": {}},
	"resource": {"type": "record", "id": "r1", "properties": {}},
	"context": {},
}`,
			Want: allowed(),
		},
		{
			Name: "values of all types, numbers exact",
			Rego: `allow if input == {
	"tenant": "clinic",
	"subject": {"type": "user", "id": "mina", "properties": {"role": "admin"}},
	"action": {"name": "read", "properties": {"bulk": false}},
	"resource": {"type": "record", "id": "r1", "properties": {"size": 9007199254740993, "tags": ["a", null]}},
	"context": {"ip": "10.0.0.7", "score": 0.25, "count": 7, "large": 1152921504606846976, "nested": {"x": []}},
}
deny contains "rounded" if input.resource.properties.size == 9007199254740992`,
			Request: full,
			Want:    allowed(),
		},
		{
			Name: "a type that the directory cannot hold is merely unknown",
			Rego: `allow if {
	input.subject.type == "No Such Type"
	not data.directory[input.subject.type][input.subject.id]
}`,
			Request: unusual,
			Want:    allowed(),
		},
		{
			Name:    "a value that JSON cannot hold",
			Rego:    `allow if true`,
			Request: withContext("when", struct{}{}),
			Kind:    authz.Invalid, Text: "context.when: a value of Go type struct {}",
		},
		{
			Name:    "a text that is no number",
			Rego:    `allow if true`,
			Request: withContext("list", []any{json.Number("0x10")}),
			Kind:    authz.Invalid, Text: `context.list.0: "0x10" is no JSON number`,
		},
		{
			Name:    "a number that cannot be computed with",
			Rego:    `allow if true`,
			Request: withContext("n", json.Number("1e999999999")),
			Kind:    authz.Invalid, Text: "context.n: number",
		},
	}
}

func withContext(name string, value any) *authz.Request {
	r := request()
	r.Context = authz.Object{name: value}
	return r
}
