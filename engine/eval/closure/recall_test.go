package closure

import (
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

// Calls come to the same the second time, in one evaluation and in the next, and
// operands that look alike are told apart.
func TestCallsAreRemembered(t *testing.T) {
	c := evaltest.Case{Rego: `
default allow := false

deny contains sprintf("%v", [[f(x) | some x in input.context.list]])
f(x) := [split(x, input.context.by), replace(x, "a", "b")] if is_string(x)
f(x) := format_int(x, 10) if is_number(x)
obligations := {
	"numbers": [to_number(x) | some x in input.context.texts],
	"times": [time.parse_rfc3339_ns(x) | some x in input.context.times],
	"years": [time.add_date(time.parse_rfc3339_ns(x), 18, 0, 0) | some x in input.context.times],
	"matches": [regex.match(input.context.pattern, x) | some x in input.context.texts],
	"globs": [glob.match("1*", [], x) | some x in input.context.texts],
}
`}
	program, reference := c.Prepare(t, New()), c.Prepare(t, topdown.New())
	for _, round := range []string{"first", "second"} {
		for _, by := range []string{"-", "a", ""} {
			for _, pattern := range []string{"^1", "0$"} {
				c.Request = sends(authz.Object{
					"list": []any{"a-b", 1, "a-b", "ta-b", 1.0, "1", ""}, "by": by, "pattern": pattern,
					"texts": []any{"1", "10", "1", "2.50", strings.Repeat("0", 300)},
					"times": []any{"2020-02-29T00:00:00Z", "2020-02-29T00:00:00+01:00", "2020-02-29T00:00:00Z"},
				})
				want, err := reference.Eval(t.Context(), c.Input(t))
				if err != nil || len(want.Obligations) != 5 {
					t.Fatal(want, err)
				}
				got, err := program.Eval(t.Context(), c.Input(t))
				if diff := gocmp.Diff(want, got); err != nil || diff != "" {
					t.Errorf("by %q, with %q, the %s time: error %v, difference (-want +got):\n%s", by, pattern, round, err, diff)
				}
			}
		}
	}
}

// An error is met each time.
func TestErrorsAreNotRemembered(t *testing.T) {
	c := evaltest.Case{Rego: `allow if time.parse_rfc3339_ns(input.context.t) > 0`, Request: sends(authz.Object{"t": "no time"})}
	program := c.Prepare(t, New())
	for range 2 {
		if _, err := program.Eval(t.Context(), c.Input(t)); err == nil || !strings.Contains(err.Error(), "time.parse_rfc3339_ns") {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestWhatIsRemembered(t *testing.T) {
	for name := range recalled {
		if !deterministic(name) {
			t.Errorf("%s, which is remembered, depends on more than its operands", name)
		}
	}
}
