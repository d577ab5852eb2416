package closure

import (
	"fmt"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// Sets, arrays and texts that are compared, combined and passed to built-ins
// without being made OPA's come out as OPA's do.
func TestWhatWasJustMade(t *testing.T) {
	request := sends(authz.Object{
		"few": []any{"b", "a"}, "many": sequenceOf(20), "mixed": []any{1, "a", nil, authz.Object{"k": "v"}, []any{1.5}},
		"numbers": []any{3, 1, 2, 3}, "fractions": []any{1.5, 2}, "none": []any{}, "texts": []any{" Ab ", "ÄB", "", "Ab"},
	})
	const made = `
few := {x | some x in input.context.few}
many := {x | some x in input.context.many}
mixed := {x | some x in input.context.mixed}
none := {x | some x in input.context.none}
partial contains x if some x in input.context.few
fixed := "a"
`
	allowed := eval.Output{Allow: true}
	var policies []held
	for name, rego := range map[string]string{
		"equal sets":                    `few == {"a", "b"}; {"b", "a"} == few; few == {x | some x in ["b", "a"]}; partial == few; none == set()`,
		"sets that are not equal":       `few != {"a"}; few != {"a", "c"}; few != {"a", "b", "c"}; few != ["a", "b"]; many != few; few != none; partial != {"c"}`,
		"sets of values of all kinds":   `mixed == {1.0, "a", null, {"k": "v"}, [1.5]}; mixed != {2, "a", null, {"k": "v"}, [1.5]}`,
		"a set with a folded constant":  `partial == {fixed, "b"}; {fixed} != partial; [fixed, "b"] != partial; {"k": fixed} == {"k": "a"}`,
		"large sets":                    `many == {x | some x in input.context.many}; count(many & {"x1", "x19", "y"}) == 2; count(many - {"x1", "y"}) == 19; count(many | few) == 22`,
		"what two sets have in common":  `few & {"a", "c"} == {"a"}; {"a", "c"} & few == {"a"}; few & none == set(); mixed & {1, [1.5]} == {1, [1.5]}; few & few == few`,
		"one set without another":       `few - {"a"} == {"b"}; {"a", "c"} - few == {"c"}; few - none == few; none - few == set(); few - few == set()`,
		"two sets as one":               `few | {"c", "a"} == {"a", "b", "c"}; none | few == few; few | none == few; count(none | none) == 0`,
		"combined sets gone through":    `[x | some x in few | {"aa", "c"}] == ["a", "aa", "b", "c"]; "b" in few - {"a"}; not "a" in few - {"a"}; every x in few & many { x == "z" }`,
		"a combination of combinations": `(few | many) - many == few; count(((few | many) - few) & many) == 20`,
		"sums":                          `sum([x | some x in input.context.numbers]) == 9; sum([x | some x in input.context.none]) == 0; sum([x | some x in input.context.fractions]) == 3.5; sum({x | some x in input.context.numbers}) == 6`,
		"products":                      `product([x | some x in input.context.numbers]) == 18; product([x | some x in input.context.none]) == 1`,
		"extremes":                      `max([x | some x in input.context.numbers]) == 3; min([x | some x in input.context.numbers]) == 1; max(few) == "b"; not max([x | some x in input.context.none]); min([x | some x in input.context.mixed]) == null`,
		"joined":                        `concat("-", [x | some x in input.context.few]) == "b-a"; concat("-", few) == "a-b"; concat("", [x | some x in input.context.none]) == ""`,
		"printed":                       `sprintf("%s and %s", [x | some x in input.context.few]) == "b and a"`,
		"an array used twice":           `xs := [x | some x in input.context.few]; concat("", xs) == "ba"; count(xs) == 2; xs == ["b", "a"]; xs[1] == "a"`,
		"texts":                         `[lower(x) | some x in input.context.texts] == [" ab ", "äb", "", "ab"]; [upper(trim_space(x)) | some x in input.context.texts] == ["AB", "ÄB", "", "AB"]`,
		"texts cut":                     `[trim(trim_prefix(x, " "), "b ") | some x in input.context.texts] == ["A", "ÄB", "", "A"]; trim_suffix("ab", "b") == "a"; trim_left("aab", "a") == "b"; trim_right("abb", "b") == "a"`,
	} {
		policies = append(policies, held{name: name, rego: fmt.Sprintf("allow if { %s }", rego) + made, request: request, want: allowed})
	}
	policies = append(policies, held{name: "documents replaced by what was just made", rego: `
allow if {
	document := {"context": {"x": input.context.few[0], "y": few}}
	both == ["b", 2] with input as document
	both == ["c", 2] with input as document with input.context.x as concat("", ["c"])
	both == ["b", 1] with input as document with input.context as {"x": input.context.few[0], "y": {1}}
	under == {"k": few} with data.under as {"k": few}
	under.k == few with data.under.k as few
}
both := [input.context.x, count(input.context.y)]
under := data.under` + made, request: request, want: allowed},
		held{name: "what was just made as an argument and a result", rego: `
allow if {
	pair({"a": few, "b": [few]}) == [few, [few]]
	pair({"a": 1, "b": {"c": few}})[1].c["a"]
	some k, v in pair({"a": {"z": 1, "y": 2}, "b": 2})[0]
	[k, v] == ["y", 2]
	not pair({"a": few})
	object.keys({"k": few, fixed: 1}) == {"k", "a"}
	{"k": few, "k": few} == {"k": {"a", "b"}}
	{fixed, "a", few} == {"a", {"b", "a"}}
	is_object({"k": few})
	json.marshal({"k": [few]}) == "{\"k\":[[\"a\",\"b\"]]}"
}
pair(o) := [o.a, o.b]` + made, request: request, want: allowed})
	for name, rego := range map[string]string{
		"sum: operand 1 must be":        `sum([x | some x in input.context.few]) == 0`,
		"lower: operand 1 must be":      `lower(input.context.numbers[_]) == ""`,
		"minus: operand 2 must be":      `few - input.context.numbers[0] == set()`,
		"and: operand 2 must be":        `few & input.context.few == set()`,
		"trim_prefix: operand 2 must":   `trim_prefix(input.context.few[0], input.context.numbers[0]) == ""`,
		"concat: operand 2 must be":     `concat("", [x | some x in input.context.numbers]) == ""`,
		"product: operand 1 must be":    `product([x | some x in input.context.mixed]) == 0`,
		"trim_space: operand 1 must be": `trim_space(input.context.few) == ""`,
	} {
		policies = append(policies, held{name: name, rego: fmt.Sprintf("allow if { %s }", rego) + made, request: request, failure: name})
	}
	hold(t, "", "", policies)
}

func TestConstantLiterals(t *testing.T) {
	text := constant{ast.StringTerm("a")}
	for _, c := range []struct {
		name string
		of   literal
		want string
	}{
		{"an array", literal{kind: arrayKind, values: []expression{text, literal{kind: setKind}}}, `["a", set()]`},
		{"a set", literal{kind: setKind, values: []expression{text, text}}, `{"a"}`},
		{"an object", literal{kind: objectKind, keys: []expression{text}, values: []expression{text}, written: []bool{true}}, `{"a": "a"}`},
		{"a key that is written and one that is found", literal{
			kind: objectKind, keys: []expression{text, text}, values: []expression{constant{ast.StringTerm("b")}, text}, written: []bool{true, false},
		}, `{"a": "b"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, is := constantLiterals(c.of).(constant); !is || got.term.String() != c.want {
				t.Errorf("%v, want the constant %s", got.term, c.want)
			}
		})
	}
	if e, is := constantLiterals(literal{kind: setKind, values: []expression{read{1}}}).(literal); !is {
		t.Errorf("a set of a local has become %v", e)
	}
}

// TestEmptyCollectionsAreNotWrittenTo holds what lets all evaluations share them.
func TestEmptyCollectionsAreNotWrittenTo(t *testing.T) {
	for _, term := range empty {
		var asking sync.WaitGroup
		for range 2 {
			asking.Go(func() {
				b := term.Value.(*building)
				if !b.inOrder || len(b.sorted())+len(b.all())+b.len() != 0 {
					t.Errorf("an empty collection is %+v", b)
				}
			})
		}
		asking.Wait()
	}
}
