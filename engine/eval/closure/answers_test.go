package closure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// asksOften is a policy of many rules that call one function with the same
// argument.
var asksOften = func() evaltest.Case {
	var rules strings.Builder
	for i := range 20 {
		fmt.Fprintf(&rules, "deny contains \"rule %d\" if { clear(data.directory.user[input.subject.id]) < %d }\n", i, i)
	}
	return evaltest.Case{
		Rego: `
allow if clear(data.directory.user[input.subject.id]) > 50
clear(user) := count([x | some x in user.attributes.levels; x > 10])
` + rules.String(),
		Directory: fmt.Sprintf(`{"entity": {"type": "user", "id": "mina", "attributes": {"levels": %s}}}`, strings.ReplaceAll(fmt.Sprint(numbersTo(100)), " ", ", ")),
	}
}()

func numbersTo(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func BenchmarkAsksOften(b *testing.B) {
	program, in := asksOften.Prepare(b, New()), asksOften.Input(b)
	b.ReportAllocs()
	for b.Loop() {
		allow(b, program, in)
	}
}

// A function that is called with the same argument by many is evaluated once.
func TestFunctionsAreEvaluatedOnce(t *testing.T) {
	program, in := asksOften.Prepare(t, New()), asksOften.Input(t)
	in.Steps = 21 * 50
	if out, err := program.Eval(t.Context(), in); err != nil || !out.Allow || len(out.Deny) > 0 {
		t.Errorf("the answer is %+v, error %v", out, err)
	}
}

func TestAnswersAreThoseOfTheArguments(t *testing.T) {
	const directory = `
{"entity": {"type": "user", "id": "mina", "attributes": {"list": ["a", "b"]}}}
{"entity": {"type": "user", "id": "olga", "attributes": {"list": ["c"]}}}
`
	const functions = `
size(x) := count([y | some y in x])
shown(x, y) := concat(" ", [sprintf("%v", [z]) | some z in [x, y]])
of(id) := count([y | some y in data.directory.user[id].attributes.list; y != input.context.no])
parsed(x) := sum([to_number(y) | some y in [x]])
twice(x) := [size(x), size([x])]
found(x) if { some y in ["a", "b"]; y == x }
`
	request := sends(authz.Object{"no": "a", "list": []any{"a", "b"}, "same": []any{"a", "b"}, "bad": "x"})
	allowed := eval.Output{Allow: true}
	var policies []held
	for name, rego := range map[string]string{
		"arguments that differ":       `size([1]) == 1; size([1, 2]) == 2; size({"a"}) == 1; size({}) == 0; size([1]) == 1; size("a") == 0`,
		"equal arguments":             `size(input.context.list) == 2; size(input.context.same) == 2; size(["a", "b"]) == 2`,
		"numbers written in two ways": `shown(1, 2) == "1 2"; shown(1.0, 2) == concat(" ", [sprintf("%v", [1.0]), "2"]); shown(1, 2) == "1 2"; shown("1", "2") == "1 2"; shown(2, 1) == "2 1"`,
		"by id":                       `of("mina") == 1; of("olga") == 1; of("nobody") == 0; of("mina") == 1`,
		"documents replaced":          `of("mina") == 1; of("mina") == 2 with input.context.no as "z"; of("mina") == 0 with data.directory.user.mina as {}; of("mina") == 1; of("mina") == 0 with input as {}`,
		"in a loop":                   `[size(x) | some x in [["a"], [], ["a"], ["b", "c"]]] == [1, 0, 1, 2]`,
		"more than are remembered":    `[size([x]) | some x in numbers.range(1, 100)] == [1 | some x in numbers.range(1, 100)]; [shown(x, y) | some x in numbers.range(1, 10); some y in numbers.range(1, 10)][57] == "6 8"`,
		"one within another":          `twice(["a", "b"]) == [2, 1]; twice([]) == [0, 1]; twice(["a", "b"])[0] == 2`,
		"undefined":                   `not found("z"); found("a"); not found("z"); found("a"); not found(input.context.gone)`,
	} {
		policies = append(policies, held{name: name, rego: "allow if { " + rego + " }" + functions, request: request, want: allowed})
	}
	policies = append(policies,
		held{name: "an error", rego: "allow if { not parsed(input.context.bad); not parsed(input.context.bad) }" + functions, request: request, failure: "to_number"},
		held{name: "a conflict", rego: "allow if { some x in [1, 1]; odd(x) }\nodd(x) := y if { some y in [x, 2] }" + functions, request: request, failure: "conflicting values"},
	)
	hold(t, directory, "", policies)
}
