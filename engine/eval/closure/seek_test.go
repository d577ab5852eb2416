package closure

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

// held is a policy that both evaluators have to answer alike.
type held struct {
	name, rego string
	request    *authz.Request
	want       eval.Output
	failure    string // a part of the error's text
}

// hold holds both evaluators to what policies yield.
func hold(t *testing.T, directory, data string, policies []held) {
	for _, p := range policies {
		t.Run(p.name, func(t *testing.T) {
			c := evaltest.Case{Rego: p.rego, Directory: directory, Data: data, Request: p.request}
			for _, evaluator := range []eval.Evaluator{topdown.New(), New()} {
				got, err := c.Prepare(t, evaluator).Eval(t.Context(), c.Input(t))
				switch {
				case p.failure == "" && err != nil:
					t.Errorf("%s: unexpected error: %v", evaluator.Name(), err)
				case p.failure != "" && (err == nil || !strings.Contains(err.Error(), p.failure)):
					t.Errorf("%s: the error is %v, expected one with %q", evaluator.Name(), err, p.failure)
				}
				if diff := gocmp.Diff(p.want, got); err == nil && diff != "" {
					t.Errorf("%s: difference (-want +got):\n%s", evaluator.Name(), diff)
				}
			}
		})
	}
}

// sends is user:mina reads record:r1 with a context.
func sends(context authz.Object) *authz.Request {
	return &authz.Request{
		Tenant: evaltest.Tenant, Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "record", ID: "r1"}, Context: context,
	}
}

func names(prefix string, n int) string {
	quoted := make([]string, n)
	for i := range quoted {
		quoted[i] = fmt.Sprintf("%q", fmt.Sprint(prefix, i))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func TestLoopsThatLookForSomething(t *testing.T) {
	directory := fmt.Sprintf(`
{"entity": {"type": "user", "id": "mina", "attributes": {"one": 1, "long": %s, "mixed": ["a", 1, 1.5, null, true, {"a": 1}, ["b"]], "none": [], "text": "text", "object": {"k": "n5"}}}}
`, names("n", 1000))
	const user = "\nuser := data.directory.user.mina\n"
	allowed, denied := eval.Output{Allow: true}, eval.Output{}
	hold(t, directory, "", []held{
		{name: "in a long array", rego: `allow if { some x in user.attributes.long; x == "n999" }` + user, want: allowed},
		{name: "not in a long array", rego: `allow if { some x in user.attributes.long; x == "n1000" }` + user, want: denied},
		{name: "no text in a long array of texts", rego: `allow if { some x in user.attributes.long; x == 5 }` + user, want: denied},
		{name: "the member on the other side", rego: `allow if { some x in user.attributes.long; "n7" == x }` + user, want: allowed},
		{name: "by a reference", rego: `allow if user.attributes.long[_] == "n7"` + user, want: allowed},
		{name: "membership of a long array", rego: `allow if "n7" in user.attributes.long` + user, want: allowed},
		{name: "no membership of a long array", rego: `allow if { not "m7" in user.attributes.long; not 7 in user.attributes.long; not ["n7"] in user.attributes.long }` + user, want: allowed},
		{name: "what is looked for is read on the way", rego: `allow if { some x in user.attributes.long; x == data.directory.ref["user:mina"].attributes.object.k }` + user, want: allowed},
		{name: "what is looked for is undefined", rego: `allow if { some x in user.attributes.long; x == data.directory.ref["user:mina"].attributes.gone }` + user, want: denied},
		{name: "an equal number that is written otherwise", rego: `allow if { some x in user.attributes.mixed; x == 1.0 }` + user, want: allowed},
		{name: "values of all kinds", rego: `allow if {
	every y in [1.5, null, true, {"a": 1}, ["b"]] { some x in user.attributes.mixed; x == y }
	not looks(false)
	not looks({"a": 2})
}
looks(y) if { some x in user.attributes.mixed; x == y }` + user, want: allowed},
		{name: "in nothing", rego: `allow if { some x in user.attributes.none; x == "a" }` + user, want: denied},
		{name: "in what is no collection", rego: `allow if { some x in user.attributes.text; x == "text" }` + user, want: denied},
		{name: "among the values of an object", rego: `allow if { some x in user.attributes.object; x == "n5" }` + user, want: allowed},
		{name: "in a set that was just made", rego: `allow if { some x in {y | some y in user.attributes.long}; x == "n5" }` + user, want: allowed},
		{name: "in a constant set with numbers", rego: `allow if { some x in {1, 2, "a"}; x == user.attributes.one }` + user, want: allowed},
		{name: "with a part of the directory replaced", rego: `allow if looks with data.directory.user.mina.attributes.long as ["z"]
looks if { some x in data.directory.user.mina.attributes.long; x == "z" }`, want: allowed},
		{name: "an array has as many elements as are equal", rego: `allow if count([1 | some x in ["a", "b", "a"]; x == input.context.x]) == 2`, request: sends(authz.Object{"x": "a"}), want: allowed},
		{name: "an array within is made once for each", rego: `allow if count({n | some x in ["a", "b", "a"]; x == input.context.x; n := count([y | some y in ["c", "c"]; y == "c"])}) == 1
deny contains sprintf("%d", [n]) if { some x in ["a", "b", "a"]; x == input.context.x; n := count([y | some y in ["c", "c"]; y == "c"]) }`, request: sends(authz.Object{"x": "a"}), want: eval.Output{Allow: true, Deny: []string{"2"}}},
		{name: "what comes after may err", rego: `allow if { some x in user.attributes.long; x == "n7"; to_number(user.attributes.text) == 1 }` + user, failure: "to_number"},
		{name: "what comes after is not met", rego: `allow if { some x in user.attributes.long; x == "m7"; to_number(user.attributes.text) == 1 }` + user, want: denied},
		{name: "a loop within the loop", rego: `allow if { some x in user.attributes.long; x == "n7"; some y in user.attributes.mixed; y == "a" }` + user, want: allowed},
		{name: "not in a loop", rego: `allow if { not looks("m1"); not not_looks("n1") }
looks(y) if { some x in user.attributes.long; x == y }
not_looks(y) if not looks(y)` + user, want: allowed},
		{name: "in what was sent", rego: `allow if {
	every y in ["a", 1, 1.5, null, true, {"b": 1}] { some x in input.context.list; x == y }
	every y in ["b", 2, false, {"b": 2}, []] { not looks(y) }
	"a" in input.context.list
	1 in input.context.list
	not "b" in input.context.list
}
looks(y) if { some x in input.context.list; x == y }`, request: sends(authz.Object{"list": []any{"a", 1, 1.5, nil, true, authz.Object{"b": 1}}}), want: allowed},
		{name: "in an empty array that was sent", rego: `allow if { some x in input.context.list; x == "a" }`, request: sends(authz.Object{"list": []any{}}), want: denied},
	})
}

// To look through an array counts, be it less than to run a body for each
// element.
func TestLookingCounts(t *testing.T) {
	c := evaltest.Case{
		Rego:    `allow if { some x in input.context.list; some y in input.context.list; y == x; x == "gone" }`,
		Request: sends(authz.Object{"list": sequenceOf(2_000)}),
	}
	in := c.Input(t)
	in.Steps = 100_000
	if _, err := c.Prepare(t, New()).Eval(t.Context(), in); authz.KindOf(err) != authz.LimitExceeded {
		t.Errorf("the error is %v, expected that the limit of steps is exceeded", err)
	}
}

func sequenceOf(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = fmt.Sprint("x", i)
	}
	return list
}
