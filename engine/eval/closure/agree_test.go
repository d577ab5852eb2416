package closure

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

// What the passes find alike, removed, or the first of several is what OPA does:
// the program and its variants answer as topdown does, and err where it errs.
func TestPassesAgreeWithTopdown(t *testing.T) {
	sends := asks(authz.Object{"n": 5, "m": -1, "s": "x", "k": "r", "a": "k", "b": "k"})
	tests := map[string]evaltest.Case{
		"a local and a number": {
			Rego: strings.Join(append(numbered(60, `bad(a, b) if a == %d`), `bad(a, b) if a == b`), "\n") + `
allow if not bad(input.context.n + 100, input.context.m)
deny contains sprintf("%d", [i]) if { some i in numbers.range(-3, 70); bad(i, -1) }`,
		},
		"numbers written in two ways": {
			Rego: `
allow if not bad
bad if { input.context.n == 5; input.context.k == "no" }
bad if input.context.n == 5.0
bad if { input.context.n == 2; input.context.k == "yes" }
bad if { input.context.n == 3; input.context.k == "no" }
deny contains "5" if input.context.n == 5
deny contains "5.0" if input.context.n == 5.0
deny contains "2" if input.context.n == 2
deny contains "3" if input.context.n == 3`,
		},
		"a number that two rules write in two ways": {
			Rego: `
allow if true
reasons contains json.marshal([v(1)]) if true
v(x) := 2 if x == 3
else := json.unmarshal("1.50") if x == 1
v(x) := 1.5 if x < 2`,
		},
		"names with dots": {
			Rego: `
allow if input["subject.type"] == "user"
deny contains "no" if not input["action.name"]`,
		},
		"a rule that a variant has not yields something else": {
			Rego: `
allow if v == 1
v := 1 if input.context.n == 5
v := 1 if to_number(input.context.s) == 7
v := 2 if contains(input.action.name, "wr")
deny contains "closed" if { input.action.name == "read"; v == 2 }`,
		},
		"likewise for a known argument": {
			Rego: `
allow if v("read") == 1
v(x) := 1 if input.action.name == "read"
v(x) := 1 if to_number(input.context.s) == 7
v(x) := 2 if startswith(x, "w")`,
		},
		"a table on the inside of a parameter": {
			Rego: `
allow if v(input.context) == 1
v(x) := 1 if x.n == 5
v(x) := 1 if to_number(x.s) == 7
v(x) := 2 if x.k == "w"
v(x) := 2 if x.k == "z"
v(x) := 3 if x.k == "y"`,
		},
		"a value that only the body tells": {
			Rego: `
allow if v == 1
v := x if { x := 1; some y in [5, "x"]; to_number(y) == 5 }`,
		},
		"a value that only the bodies tell": {
			Rego: `
allow if v == 1
v := x if { x := 1; input.context.n == 5 }
v := x if { x := 1; to_number(input.context.s) == 7 }`,
		},
		"a key that only the body tells": {
			Rego: `
allow if not v.read
v[x] := 1 if { to_number(input.context.s) == 7; x := "a" }`,
		},
		"a key that is moved over what fails": {
			Rego: `
allow if not v.write
v contains x if { to_number(input.context.s) == 7; x := input.action.name; x != input.context.k }`,
		},
		"a key that another local holds before what fails": {
			Rego: `
allow if not v.write
v contains x if ["u", x] = [r, lower(input.context.k)]
r := "u" if to_number(input.context.s) == 7`,
		},
		"a key that the head tells": {
			Rego: `
allow if not v.read
v.a := x if { to_number(input.context.s) == 7; x := "a" }
v[x] := 2 if { x := input.context.k }`,
		},
		"no table on what comes after what fails": {
			Rego: `
allow if f(input.context)
f(x) if { to_number(x.s) == 7; x.k == "w" }
f(x) if x.k == "z"
f(x) if x.k == "y"`,
		},
		"no table on what comes after a membership that fails": {
			Rego: `
allow if f(input.context)
f(x) if { to_number(x.s) in {7, 8}; x.k == "w" }
f(x) if x.k == "z"
f(x) if x.k == "y"`,
		},
		"a table on what another rule asks": {
			Rego: `
allow if v == 1
v := 1 if input.context.n > 4
v := 1 if to_number(input.context.s) == 7
v := 2 if ww
v := 2 if zz
v := 3 if yy
ww if input.context.k == "w"
zz if input.context.k == "z"
yy if input.context.k == "y"`,
		},
		"equal keys in an object written out": {
			Rego: `
allow if {"read": 1, input.action.name: 2}.read == 1
deny contains "a" if {input.action.name: 1, "read": 2}.read == 2
deny contains "b" if {input.context.a: 1, input.context.b: 2}.k == 1
deny contains "c" if {input.context.b: 1, input.context.a: 2}.k == 1
deny contains "d" if { o := {"read": [x | some x in [1]], input.action.name: 2}; o.read == [1] }
deny contains "e" if count({"read": 1, input.action.name: 2}) == 1`,
		},
		"the time of the decision": {
			Rego: `
allow if { now := time.now_ns(); now <= time.now_ns(); now >= now; not now < now }
others := array.concat([0, -1, 1.5, 1e3, 1e30, 99999999999999999999, "a", null, [1], {}, input.context.n], [now, now - 1, now + 1, now + 0.5]) if now := time.now_ns()
deny contains sprintf("< %d", [i]) if { some i, x in others; time.now_ns() < x }
deny contains sprintf("<= %d", [i]) if { some i, x in others; time.now_ns() <= x }
deny contains sprintf("> %d", [i]) if { some i, x in others; time.now_ns() > x }
deny contains sprintf(">= %d", [i]) if { some i, x in others; time.now_ns() >= x }
deny contains sprintf("%d <", [i]) if { some i, x in others; x < time.now_ns() }
deny contains sprintf("%d <=", [i]) if { some i, x in others; x <= time.now_ns() }
deny contains sprintf("%d >", [i]) if { some i, x in others; now := time.now_ns(); x > now; now == time.now_ns() }
deny contains sprintf("%d >=", [i]) if { some i, x in others; now := time.now_ns(); x >= now; [now] == [time.now_ns()] }
deny contains "gone" if time.now_ns() > input.context.gone
deny contains "not gone" if not time.now_ns() > input.context.gone
deny contains "with" if { now := time.now_ns(); now > 5 with time.now_ns as 4; time.now_ns() < 5 with time.now_ns as 4 }`,
		},
		"a loop over what is not there, negated": {
			Rego: `
allow if true
deny contains "x" if not { v := data.authz.r[_] }
r.record contains v if v := input.tenant`,
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			c.Request = sends
			want, wantErr := c.Prepare(t, topdown.New()).Eval(t.Context(), c.Input(t))
			for side, evaluator := range map[string]eval.Evaluator{"program": New(), "variant": Evaluator{}, "without tables": Evaluator{off: dispatchPass}} {
				got, err := c.Prepare(t, evaluator).Eval(t.Context(), c.Input(t))
				if (err != nil) != (wantErr != nil) {
					t.Errorf("%s: %v, topdown %v", side, err, wantErr)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-topdown +got):\n%s", side, diff)
				}
			}
		})
	}
}

// What depends on the time is found for every decision.
func TestClockIsReadForEveryDecision(t *testing.T) {
	for _, name := range []string{
		"time.now_ns", "io.jwt.decode_verify", "crypto.x509.parse_and_verify_certificates",
		"crypto.x509.parse_and_verify_certificates_with_options", "rand.intn", "uuid.rfc4122", "http.send", "opa.runtime",
	} {
		if deterministic(name) {
			t.Errorf("%s is taken for one that depends on its operands alone", name)
		}
	}
}
