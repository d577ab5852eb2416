package closure

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

// conditions are of all forms that filters know, and of some that they do not. %[1]d
// is a number that a rule has for itself.
var conditions = map[string]string{
	"begins":              `startswith(input.context.x, "a%[1]d")`,
	"ends":                `endswith(input.context.x, "%[1]d")`,
	"begins as any":       `strings.any_prefix_match(input.context.x, {"a%[1]d", "b%[1]d", ""})`,
	"ends as any":         `strings.any_suffix_match(input.context.x, ["%[1]d", "%[1]db"])`,
	"begins as one":       `strings.any_prefix_match(input.context.x, "a%[1]d")`,
	"a pattern":           `glob.match("a%[1]d*", [], input.context.x)`,
	"a pattern's end":     `glob.match("*%[1]d", [":"], input.context.x)`,
	"a pattern for any":   `glob.match("*%[1]d*", [], input.context.x)`,
	"no pattern":          `glob.match("{a%[1]d,b", [], input.context.x)`,
	"has":                 `"a%[1]d" in input.context.x`,
	"has at any place":    `input.context.x[_] == "a%[1]d"`,
	"has some":            "some y in input.context.x\n\ty == \"a%[1]d\"",
	"of an argument":      `named(%[1]d, input.context.x)`,
	"behind another":      "input.action.name == \"read\"\n\tstartswith(input.context.x, \"a%[1]d\")",
	"behind what may err": "to_number(input.context.n) == 5\n\tstartswith(input.context.x, \"a%[1]d\")",
	"behind a search":     "every y in [1, 2] { y != input.context.n }\n\tstartswith(input.context.x, \"a%[1]d\")",
	"is":                  `input.context.x == "a%[1]d"`,
	"is a number":         `input.context.x == %[1]d`,
	"is one of":           `input.context.x in {"a%[1]d", %[1]d, %[1]d.0, true, null}`,
	"stands":              `data.directory.user.mina.attributes.x == "a%[1]d"`,
	"stands by a key":     `data.directory.user[input.subject.id].attributes.x == "a%[1]d"`,
	"stands as a number":  `data.directory.ref["user:mina"].attributes.x == %[1]de0`,
	"stands in a set":     `data.directory.user.mina.attributes.x in ["b%[1]d", "a%[1]d", %[1]d]`,
	"stands among":        `data.directory.user.mina.attributes.x in ["a%[1]d", ["a1", "a1", "a3"]]`,
	"stands by name":      `who.attributes.x == "a%[1]d"`,
	"stands by two names": `x_of_who == "a%[1]d"`,
	"stands in a local":   "u := data.directory.user[input.subject.id]\n\tu.attributes.x == \"a%[1]d\"\n\tu.id == input.subject.id",
	"stands beside":       "data.directory.user[input.subject.id].id == \"mina\"\n\tdata.directory.user[input.subject.id].attributes.x == \"a%[1]d\"",
	"stands behind":       "x := to_number(input.context.n)\n\tdata.directory.user[input.subject.id].attributes.x == \"a%[1]d\"\n\tx == 5",
	"stands and has":      `"a%[1]d" in data.directory.user[input.subject.id].attributes.x`,
	"stands and begins":   `startswith(data.directory.user[input.subject.id].attributes.x, "a%[1]d")`,
	"of an unset local":   "x := count(input.context.x)\n\tx == %[1]d",
	"of a loop":           "some y in input.context.x\n\ty != \"a3\"\n\ty == \"a%[1]d\"",
	"of collections":      "some y in input.context.x\n\ty == [\"a%[1]d\"]",
	"with another input":  `x_of_input == "a%[1]d" with input as {"context": {"x": "a1"}}`,
}

// unfiltered are those that filters do not know, or tables do.
var unfiltered = []string{
	"a pattern for any", "no pattern", "of an argument", "behind what may err", "is", "is a number", "is one of",
	"stands behind", "stands among", "of an unset local", "of a loop", "of collections", "with another input",
}

// named are the rules that the conditions rest on.
const named = `
who := data.directory.user[input.subject.id]
x_of_who := who.attributes.x
x_of_input := input.context.x
`

// What a filter passes over comes to nothing: rules that it divides answer as they
// do one after another, and as in topdown, and err as one after another.
func TestFiltersPassOverWhatComesToNothing(t *testing.T) {
	values := []any{
		"a1", "a12", "a", "", "b3", "x5", "5", "a1:15", "A1", "a7\x00", 5, true, nil,
		[]any{"a1", "a1", "a3"}, []any{}, []any{5, "a9"}, []any{[]any{"a4"}, "a5"}, authz.Object{"k": "a4", "a5": 1}, authz.Object{}, strings.Repeat("a1", 200),
	}
	heads := []string{elses, `v := "once"`, `v := "%[1]d"`, `deny contains "%[1]d"`, `o["%[1]d"] := 1`}
	if testing.Short() {
		values, heads = values[:4], heads[:2]
	}
	for name, condition := range conditions {
		for _, head := range heads {
			t.Run(name+" "+head, func(t *testing.T) {
				var rules, functions []string
				rule := func(i int, body string) {
					text := strings.ReplaceAll(head, "%[1]d", fmt.Sprint(i)) + " if {\n\t" + body + "\n}"
					if head == elses && i > 0 {
						rules[0] += fmt.Sprintf(` else := "else %d" if {%s}`, i, "\n\t"+body+"\n")
						return
					}
					rules = append(rules, text)
				}
				for i := range 20 {
					body := fmt.Sprintf(condition, i)
					if i%5 == 0 {
						body += "\n\tinput.context.x != \"a12\""
					}
					rule(i, body)
					if name == "of an argument" {
						functions = append(functions, fmt.Sprintf(`named(%[1]d, x) if startswith(x, "a%[1]d")`, i))
					}
				}
				rule(99, `input.context.n == "5"`)
				rules = append(rules, `allow if v == "once"`, "obligations := o")
				if !strings.HasPrefix(head, "v") {
					rules = append(rules, `v := "none"`)
				}
				if !strings.HasPrefix(head, "o") {
					rules = append(rules, "o := {}")
				}
				c := evaltest.Case{Rego: strings.Join(slices.Concat(rules, functions), "\n") + named}
				filtered, plain, reference := c.Prepare(t, New()), c.Prepare(t, Evaluator{off: filtersPass}), c.Prepare(t, topdown.New())
				for _, x := range values {
					c.Directory = standing(t, x)
					for _, n := range []any{"5", "none"} {
						c.Request = asks(authz.Object{"x": x, "n": n})
						checkAlike(t, c, filtered, plain, reference)
					}
				}
				c.Request = asks(authz.Object{"n": "5"})
				checkAlike(t, c, filtered, plain, reference)
			})
		}
	}
}

// elses has all bodies in one rule.
const elses = `v := "else %[1]d"`

// standing is a directory in which mina has a value.
func standing(t *testing.T, x any) string {
	t.Helper()
	if x == "a7\x00" {
		x = "a7" // the store takes no such text
	}
	line, err := json.Marshal(map[string]any{"entity": map[string]any{"type": "user", "id": "mina", "attributes": map[string]any{"x": x}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}

func checkAlike(t *testing.T, c evaltest.Case, filtered, plain, reference eval.Program) {
	t.Helper()
	got, err := filtered.Eval(t.Context(), c.Input(t))
	want, wantErr := plain.Eval(t.Context(), c.Input(t))
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Fatalf("%v: error %v, one after another %v", c.Request.Context, err, wantErr)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("%v (-one after another +filtered):\n%s", c.Request.Context, diff)
	}
	if err != nil {
		return // OPA's index passes over what one after another errs
	}
	opas, err := reference.Eval(t.Context(), c.Input(t))
	if diff := gocmp.Diff(opas, got); err != nil || diff != "" {
		t.Fatalf("%v: topdown %v (-topdown +filtered):\n%s", c.Request.Context, err, diff)
	}
}

// A filter is there for each form that it is for.
func TestFilterIsFound(t *testing.T) {
	for name, condition := range conditions {
		want := !slices.Contains(unfiltered, name)
		t.Run(name, func(t *testing.T) {
			var rules []string
			for i := range fewFiltered + 1 {
				rules = append(rules, "allow if {\n\t"+fmt.Sprintf(condition, i)+"\n\tinput.context.k == input.context.l\n}")
			}
			if name == "of an argument" {
				rules = append(rules, "named(_, _) := true")
			}
			c := evaltest.Case{Rego: strings.Join(rules, "\n") + named}
			p := c.Prepare(t, New()).(*program)
			found := false
			for _, f := range p.variants.tree.functions {
				found = found || f.dispatch != nil && filters(f.dispatch)
			}
			if found != want {
				t.Errorf("there is a filter: %v", found)
			}
		})
	}
}

func filters(d *dispatch) bool {
	if d.subject == nil {
		return d.filter != nil
	}
	for _, b := range d.byValue {
		if filters(b.to) {
			return true
		}
	}
	return filters(d.otherwise)
}
