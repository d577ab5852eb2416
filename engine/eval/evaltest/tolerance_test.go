package evaltest

import (
	"errors"
	"testing"

	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestWhatIsTolerated(t *testing.T) {
	yes := answer{text: "x = true"}
	no := answer{}
	fault := func(code string) *answer {
		a := failed(&topdown.Error{Code: code, Message: "as made up"})
		return &a
	}
	tests := []struct {
		name string
		rego string
		got  answer
		want bool
	}{
		{
			name: "another value",
			rego: `allow if input.action.name == "read"`,
			got:  no,
		},
		{
			name: "no error where the only rule fails",
			rego: `allow if 1 / input.context.zero == 1`,
			got:  no,
		},
		{
			name: "no error under not",
			rego: `allow if not 1 / input.context.zero == 1`,
			got:  yes,
		},
		{
			name: "no error where a rule of another value holds",
			rego: `allow := true if input.action.name == "read"
allow := false if 1 / input.context.zero == 1`,
			got: yes,
		},
		{
			name: "no error where a rule of the same value holds",
			rego: `allow if 1 / input.context.zero == 1
allow if input.action.name == "read"`,
			got:  yes,
			want: true,
		},
		{
			name: "another value where a rule of the same value holds",
			rego: `allow if 1 / input.context.zero == 1
allow if input.action.name == "read"`,
			got: no,
		},
		{
			name: "no error where two rules fail",
			rego: `allow if 1 / input.context.zero == 1
allow if to_number(input.context.text) == 1`,
			got: no,
		},
		{
			name: "no error in what a rule asks for, where another of its value holds",
			rego: `allow if failing
allow if input.action.name == "read"
failing := true if 1 / input.context.zero == 1`,
			got:  yes,
			want: true,
		},
		{
			name: "no error before an equality with a constant that does not hold",
			rego: `allow if { 1 / input.context.zero == 1; input.context.object == {"a": 2} }`,
			got:  no,
			want: true,
		},
		{
			name: "no error before a comparison that does not hold",
			rego: `allow if { 1 / input.context.zero == 1; input.context.object.a > 1 }`,
			got:  no,
		},
		{
			name: "no error in a function where another body of the same value holds",
			rego: `allow if f(input.action.name)
f(x) if { 1 / input.context.zero == 1; startswith(x, "r") }
f("read")`,
			got:  yes,
			want: true,
		},
		{
			name: "no error in a comprehension",
			rego: `allow if count([x | x := 1 / input.context.zero]) == 0`,
			got:  yes,
		},
		{
			name: "no error in a member of a set that is asked for as a whole",
			rego: `deny contains x if x := 1 / input.context.zero
deny contains "read"
allow if { some x in deny; x == "read" }`,
			got: yes,
		},
		{
			name: "no error in a rule of a set that has the key that is asked for by another",
			rego: `names contains x if { some x in data.names[_]; 1 / input.context.zero == 1 }
names contains x if x := input.action.name
allow if names[input.action.name]`,
			got:  yes,
			want: true,
		},
		{
			name: "no error in a rule of a set whose key is asked for, and that no other has",
			rego: `names contains x if { some x in data.names[_]; 1 / input.context.zero == 1 }
names contains x if x := input.resource.id
allow if not names[input.action.name]`,
			got: yes,
		},
		{
			name: "no error in a rule of an object that has the key that is asked for by another of the same value",
			rego: `named[x] if { some x in data.names[_]; 1 / input.context.zero == 1 }
named.read if input.action.name == "read"
allow if named[input.action.name]`,
			got:  yes,
			want: true,
		},
		{
			name: "no error in a rule of an object that has the key that is asked for by another of another value",
			rego: `named[x] := 1 if { some x in data.names[_]; 1 / input.context.zero == 1 }
named.read := 2 if input.action.name == "read"
allow if named[input.action.name]`,
			got: yes,
		},
		{
			name: "no error in a rule of an object whose key is asked for, and that no other has",
			rego: `named[x] if { some x in data.names[_]; 1 / input.context.zero == 1 }
named.write if input.action.name == "read"
allow if not named[input.action.name]`,
			got: yes,
		},
		{
			name: "no error before an equality with a constant that does not hold, with another function",
			rego: `allow if { 1 / input.context.zero == 1; input.context.object == {"a": 2} with count as 1 }`,
			got:  no,
			want: true,
		},
		{
			name: "no error before an equality with a constant that does not hold, with another document",
			rego: `allow if { 1 / input.context.zero == 1; input.context.object == {"a": 2} with input.context.zero as 2 }`,
			got:  no,
		},
		{
			name: "no error before an equality with a constant that does not hold, with a function of a value that may be undefined",
			rego: `allow if { 1 / input.context.zero == 1; input.context.object == {"a": 2} with count as input.context.text }`,
			got:  no,
		},
		{
			name: "another value where a with replaces what the index looks at",
			rego: `allow if held with startswith as true
held if startswith(input.action.name, "w")`,
			got:  yes,
			want: true,
		},
		{
			name: "another value where a with replaces what the index looks at by what does not hold",
			rego: `allow if held with startswith as false
held if startswith(input.action.name, "w")`,
			got: yes,
		},
		{
			name: "another order of members of a set that is written with variables",
			rego: `allow if [x | some x in {"z", input.action.name}] == ["read", "z"]`,
			got:  yes,
			want: true,
		},
		{
			name: "another order of members of a set that is written without",
			rego: `allow if [x | some x in {"two", "b", "read"}] == ["two", "b", "read"]`,
			got:  yes,
		},
		{
			name: "another value where a set is written with variables",
			rego: `allow if {"b", input.context.text} == {"b"}`,
			got:  yes,
		},
		{
			name: "no error before a comparison of a comprehension with what is not there",
			rego: `allow if { 1 / input.context.zero == 1; [x | x := 1] == input.context.missing }`,
			got:  no,
			want: true,
		},
		{
			name: "no error before a comparison of a pattern with what is not there",
			rego: `allow if { 1 / input.context.zero == 1; {"a": x} = input.context.missing; x > 0 }`,
			got:  no,
			want: true,
		},
		{
			name: "no error before a comparison of a pattern that does not match",
			rego: `allow if { 1 / input.context.zero == 1; {"b": x} = input.context.object; x > 0 }`,
			got:  no,
		},
		{
			name: "no error before a comparison of a comprehension that does not hold",
			rego: `allow if { 1 / input.context.zero == 1; [x | x := 1] == input.context.object }`,
			got:  no,
		},
		{
			name: "an error where topdown has none, and no rule has one",
			rego: `allow if input.action.name == "read"`,
			got:  *fault(topdown.ConflictErr),
		},
		{
			name: "an error in a rule that the index passes over",
			rego: `allow if { 1 / input.context.zero == 1; input.action.name == "write" }
allow if input.action.name == "read"`,
			got:  *fault(topdown.BuiltinErr),
			want: true,
		},
		{
			name: "an error in a rule that could only yield what another has yielded, where the index passes over one of another value",
			rego: `allow if level == 1
level := 1 if input.action.name == "read"
level := 1 if 1 / input.context.zero == 1
level := 2 if input.action.name == "write"`,
			got:  *fault(topdown.BuiltinErr),
			want: true,
		},
		{
			name: "another error than in the rule that the index passes over",
			rego: `allow if { 1 / input.context.zero == 1; input.action.name == "write" }
allow if input.action.name == "read"`,
			got: *fault(topdown.ConflictErr),
		},
		{
			name: "an error in a rule that the index passes over, behind a conflict in another",
			rego: `allow if { objects["a"]; input.action.name == "write" }
allow if { zero; input.action.name == "write" }
allow if input.action.name == "read"
objects["a"] := 1
objects[k] := v if { some k in ["a", "b"]; v := data.levels[k] }
zero := 1 / input.context.zero`,
			got:  *fault(topdown.BuiltinErr),
			want: true,
		},
		{
			name: "an error of a key that is not asked for",
			rego: `objects["a"] := 1
objects[k] := v if { some k in ["a", "b"]; v := data.levels[k] }
allow if objects["b"] == 2`,
			got: *fault(topdown.ConflictErr),
		},
		{
			name: "a conflict of a function that yields the key that is asked for",
			rego: `allow if not names[input.action.name]
names contains f(1) if input.action.name == "read"
f(x) := data.names[_] if x > 0
f(x) := data.levels.a if x > 0`,
			got:  *fault(topdown.ConflictErr),
			want: true,
		},
		{
			name: "a conflict of a function that yields what is asked for otherwise",
			rego: `allow if not named[input.action.name]
named[x] := y if { some x in ["read"]; y := f(1) }
f(_) := 1`,
			got: *fault(topdown.ConflictErr),
		},
		{
			name: "a key that only the default of a function would yield",
			rego: `allow if names[input.action.name]
names contains f(1) if input.action.name == "read"
default f(_) := "read"
f(x) := "write" if x > 0`,
			got:  no,
			want: true,
		},
		{
			name: "another error than those that there are",
			rego: `allow if zero
zero := 1 / input.context.zero`,
			got: *fault(topdown.TypeErr),
		},
		{
			name: "another of the errors that there are",
			rego: `zero := 1 / input.context.zero
mistyped := count(input.context.zero)
allow if { zero; mistyped }`,
			got:  *fault(topdown.TypeErr),
			want: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			archive := txtar.Parse([]byte("-- policy.rego --\npackage authz\n\n" + tt.rego + `
-- data.json --
{"names": [["read"]], "levels": {"a": 3, "b": 2}}
-- request.json --
{"action": {"name": "read"}, "context": {"zero": 0, "text": "two", "object": {"a": 1}}}
-- query --
x = data.authz.allow
`))
			c, err := compile(t, unarchived(t, archive))
			if err != nil {
				t.Fatal(err)
			}
			q := c.questions()[0]
			want := c.ask(t.Context(), Reference, c.compiler, q)
			if want.agrees(tt.got) {
				t.Fatalf("topdown answers %v as well", want)
			}
			if tolerated := c.tolerates(t.Context(), q, want, tt.got); tolerated != tt.want {
				t.Errorf("beside %v, %v is tolerated: %v", want, tt.got, tolerated)
			}
		})
	}
}

// An error without a code, of an evaluator that has no codes, is that of any
// evaluation.
func TestErrorsWithoutCodesAgree(t *testing.T) {
	conflict := failed(&topdown.Error{Code: topdown.ConflictErr})
	if !conflict.agrees(failed(authz.Errorf(authz.Evaluation, "conflict"))) {
		t.Error("an evaluation's error without a code is another")
	}
	if conflict.agrees(failed(errors.New("the disk is gone"))) {
		t.Error("an error of no evaluation is that of one")
	}
}
