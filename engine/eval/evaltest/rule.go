package evaltest

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// ruleValues is a policy with rules that are asked for by themselves.
const ruleValues = `
allow if false
actions := {"write", "read"} if input.resource.type == "record"
empty contains "x" if input.action.name == "none"
mapped := {
	"subject": {"type": "user", "id": input.user},
	"hops": count(input.hops),
	"whole": input,
	"title": data.directory.user[input.user].attributes.title,
	"big": 12345678901234567890,
}
undefined if input.nothing
broken := 1 / input.zero
list := [x | some x in input.hops]
nested := [{"sets": {{"b", "a"}, set()}, "objects": [{}, {"x": {"y": null}}]}, [[], [input.user]], attributes, input.hops] if {
	attributes := data.directory.user[input.user].attributes
}
keyed := {x: {y | some y in [x, "z"]} | some x in input.hops}
headers := {
	"host": input.headers.host,
	"by a variable": input.headers[input.user],
	"names": object.keys(input.headers),
	"each": [[name, value] | some name, value in input.headers],
	"count": count(input.headers),
	"a value in them": "b.example" in input.headers,
	"none": {name | some name in {"accept", "host"}; not input.headers[name]},
	"no place": [x | x := input.headers[0]],
	"deeper": [x | x := input.headers.host.name],
	"is object": is_object(input.headers),
	"all": input.headers,
	"reached": graph.reachable(input.headers, {"host"}),
	"equal": input.headers == {"host": "b.example", "mina": "c"},
	"with": [x | x := input.headers.host with input.headers.mina as "d"],
	"empty": input.empty == {},
}
`

// ofTexts is what the rule headers yields.
var ofTexts = authz.Object{
	"host": "b.example", "by a variable": "c", "names": []any{"host", "mina"},
	"each": []any{[]any{"host", "b.example"}, []any{"mina", "c"}}, "count": json.Number("2"), "a value in them": true,
	"none": []any{"accept"}, "no place": []any{}, "deeper": []any{}, "is object": true,
	"all": authz.Object{"host": "b.example", "mina": "c"}, "reached": []any{"host"}, "equal": true, "with": []any{"b.example"}, "empty": true,
}

// runRules asks for single rules.
func runRules(t *testing.T, evaluator eval.Evaluator) {
	c := Case{Rego: ruleValues, Directory: ward}
	document := authz.Object{"user": "mina", "hops": []any{"a", json.Number("2"), nil}, "zero": 0}
	tests := []struct {
		name, rule string
		document   authz.Object // nil asks with a request
		want       any          // nil where it is undefined
		kind       authz.Kind   // of an error
	}{
		{name: "a set, on a request", rule: "actions", want: []any{"read", "write"}},
		{name: "a partial set without members", rule: "empty", want: []any{}},
		{name: "on a document", rule: "mapped", document: document, want: authz.Object{
			"subject": authz.Object{"type": "user", "id": "mina"}, "hops": json.Number("3"), "title": "nurse", "big": json.Number("12345678901234567890"),
			"whole": authz.Object{"user": "mina", "hops": []any{"a", json.Number("2"), nil}, "zero": json.Number("0")},
		}},
		{name: "on an empty document", rule: "mapped", document: authz.Object{}},
		{name: "a part of the document", rule: "list", document: document, want: []any{"a", json.Number("2"), nil}},
		{name: "collections in collections", rule: "nested", document: document, want: []any{
			authz.Object{"sets": []any{[]any{}, []any{"a", "b"}}, "objects": []any{authz.Object{}, authz.Object{"x": authz.Object{"y": nil}}}},
			[]any{[]any{}, []any{"mina"}}, authz.Object{"title": "nurse", "clearance": json.Number("2"), "manager": "user:olga"}, []any{"a", json.Number("2"), nil},
		}},
		{name: "an object with names that are texts", rule: "keyed", document: authz.Object{"hops": []any{"a"}}, want: authz.Object{"a": []any{"a", "z"}}},
		{name: "an object of texts", rule: "headers", want: ofTexts,
			document: authz.Object{"user": "mina", "headers": map[string]string{"host": "b.example", "mina": "c"}, "empty": map[string]string{}}},
		{name: "undefined", rule: "undefined", document: document},
		{name: "an error", rule: "broken", document: document, kind: authz.Evaluation},
		{name: "a document that is no JSON", rule: "mapped", document: authz.Object{"x": make(chan int)}, kind: authz.Invalid},
	}
	policy := c.Policy(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rule, err := evaluator.PrepareRule(t.Context(), policy, "data.authz."+tt.rule)
			if err != nil {
				t.Fatal(err)
			}
			in := c.Input(t)
			if tt.document != nil {
				in.Request, in.Document = nil, tt.document
			}
			for range 2 { // the second time on a machine that has been used
				got, defined, err := rule.Value(t.Context(), in)
				if tt.kind != 0 {
					if authz.KindOf(err) != tt.kind || defined {
						t.Fatalf("%v, %v, error %v of kind %v; want kind %v", got, defined, err, authz.KindOf(err), tt.kind)
					}
					continue
				}
				if err != nil || defined != (tt.want != nil) {
					t.Fatalf("defined %v, error %v", defined, err)
				}
				if tt.want != nil {
					compare(t, got, tt.want)
				}
			}
		})
	}
	t.Run("a rule that there is none of", func(t *testing.T) {
		if _, err := evaluator.PrepareRule(t.Context(), policy, "data.authz.gone"); authz.KindOf(err) != authz.NotFound {
			t.Errorf("error %v", err)
		}
	})
	t.Run("after the end", func(t *testing.T) {
		rule, err := evaluator.PrepareRule(t.Context(), policy, "data.authz.list")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		in := c.Input(t)
		in.Request, in.Document = nil, document
		if got, defined, err := rule.Value(ctx, in); err == nil || defined {
			t.Errorf("%v, %v, %v", got, defined, err)
		}
	})
}
