package closure

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// Bodies that are alike share code; those that are almost alike do not.
func TestBodiesThatDifferDoNotShareCode(t *testing.T) {
	c := evaltest.Case{
		Rego: `
deny contains "a" if { some i, x in input.context.list; x == 1; i == 1 }
deny contains "b" if { some i, x in input.context.list; i == 1; x == 2 }
deny contains "c" if { some i, x in input.context.list; x == i }
deny contains "d" if { some i, x in input.context.list; x == 0 }
deny contains "e" if { some i, x in input.context.list; i == 0 }
deny contains "f" if { some x in input.context.list; x == "2" }
deny contains "g" if { some x in input.context.list; x == 2 }
deny contains "h" if { some x in input.context.list; not x == 2 }
deny contains "i" if count(input.context.list) == 2
deny contains "j" if count(input.context.list) == 3
allow if { input.context.kind == "k1"; input.context.level > 1 }
allow if { input.context.kind == "k2"; input.context.level > 2 }
allow if { input.context.kind == "k3"; input.context.level > 1 }
allow if { input.context.kind == "k4"; input.context.level > 1; input.context.kind != "k4" }`,
	}
	for _, tt := range []struct {
		kind  string
		level int
		allow bool
	}{{"k1", 2, true}, {"k2", 2, false}, {"k2", 3, true}, {"k3", 2, true}, {"k4", 3, false}, {"k5", 3, false}} {
		c.Request = asks(authz.Object{"list": []any{7, 2}, "kind": tt.kind, "level": tt.level})
		out, err := c.Prepare(t, Evaluator{}).Eval(t.Context(), c.Input(t))
		if err != nil {
			t.Fatal(err)
		}
		want := eval.Output{Allow: tt.allow, Deny: []string{"b", "e", "g", "h", "i"}}
		if diff := cmp.Diff(want, out); diff != "" {
			t.Errorf("%s %d (-want +got):\n%s", tt.kind, tt.level, diff)
		}
	}
}

// A table that answers one question of a rule does not answer another one about
// the same.
func TestTableAnswersOneQuestion(t *testing.T) {
	c := evaltest.Case{
		Rego: `
allow if { input.context.kind == "k1"; input.context.kind in {"k2", "k3"} }
allow if { input.context.kind in {"k1", "k2"}; input.context.kind == "k2"; input.context.other == input.context.kind }
allow if { input.context.kind == "k3"; input.context.other == "k1" }`,
	}
	for _, tt := range []struct {
		kind, other string
		want        bool
	}{{"k1", "k1", false}, {"k2", "k2", true}, {"k2", "k1", false}, {"k3", "k1", true}, {"k3", "k3", false}} {
		c.Request = asks(authz.Object{"kind": tt.kind, "other": tt.other})
		out, err := c.Prepare(t, Evaluator{}).Eval(t.Context(), c.Input(t))
		if err != nil || out.Allow != tt.want {
			t.Errorf("%s, %s: %+v, %v, want %t", tt.kind, tt.other, out, err, tt.want)
		}
	}
}
