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
`

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
