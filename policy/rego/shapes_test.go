package rego_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/policy/rego"
)

// doublings are rules or expressions, each written with what the one before is,
// for X, and its own name, for Y.
func doublings(times int, first, step string) string {
	text := &strings.Builder{}
	name := func(i int) string { return fmt.Sprintf("x%d", i) }
	fmt.Fprintln(text, strings.ReplaceAll(first, "Y", name(0)))
	for i := range times {
		fmt.Fprintln(text, strings.NewReplacer("X", name(i), "Y", name(i+1)).Replace(step))
	}
	return text.String()
}

func TestCompileRefusesValuesOfTooManyParts(t *testing.T) {
	inRule := func(expressions string) string { return "allow if {\n" + expressions + "input.x == x40\n}\n" }
	row := `{"a": [1, 2, 3], "b": "text", "c": {"d": true}},` + "\n"
	tests := []struct {
		name, module string
		refused      bool
	}{
		{"rules of arrays, compared", doublings(40, "Y := input.x", "Y := [X, X]") + "allow if x40 == [x39, 1]", true},
		{"rules of objects", doublings(40, "Y := 1", `Y := {"a": X, "b": X}`), true},
		{"rules of two definitions", doublings(40, "Y := 1", "Y := [X] if input.a\nY := {\"a\": X} if input.b"), true},
		{"rules with elses", doublings(40, "Y := 1", "Y := [X, X] if input.a else := X"), true},
		{"rules of sets", doublings(40, "Y := 1", "Y contains [X, X]"), true},
		{"rules of members", doublings(40, "Y := 1", "Y[a] := [X, X] if some a in input.names"), true},
		{"functions", doublings(40, "Y(_) := 1", "Y(z) := [X(z), X(z)]"), true},
		{"locals", inRule(doublings(40, "Y := input.x", "Y := [X, X]")), true},
		{"locals in a comprehension", "allow if count([1 | " + strings.ReplaceAll(doublings(40, "Y := 1", "Y := [X, X]"), "\n", "; ") + "true]) == 1", true},
		{"comprehensions", inRule(doublings(40, "Y := 1", "Y := [[X, X] | true]")), true},
		{"sets", inRule(doublings(40, "Y := 1", "Y := {[X], X}")), true},
		{"patterns", inRule(doublings(40, "[Y, _] := [1, 2]", "[Y, _] := [[X, X], 1]")), true},
		{"fifteen times", doublings(15, "Y := 1", "Y := [X, X]"), true},
		{"fourteen times", doublings(14, "Y := 1", "Y := [X, X]"), false},
		{"parts of parts", inRule(doublings(40, "Y := [1, 2]", "Y := [X[1], X[0]]")), false},
		{"parts of patterns", inRule(doublings(40, "Y := 1", "[Y, _] := [X, [X, X]]")), false},
		{"the same object again and again", inRule(doublings(40, `Y := {"a": 1, "b": 2}`, `Y := {"a": X.a, "b": X.b}`)), false},
		{"what is computed", doublings(40, "Y := [1]", "Y := array.concat(X, X)"), false},
		{"many definitions of the same", strings.Repeat("r := [input.x] if input.y\n", 1000) + "s := [r, r]", false},
		{"a long table", "table := [\n" + strings.Repeat(row, 10_000) + "]\nrows := {\"all\": table}", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			module := "package authz\n\n" + tt.module
			if !strings.Contains(module, "allow") {
				module += "\nallow if input.x\n"
			}
			start := time.Now()
			_, err := rego.Compile(read(t, files{"x.rego": module}), rego.Options{})
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			refused := err != nil && strings.Contains(err.Error(), "parts")
			if refused != tt.refused || err != nil && !refused {
				t.Errorf("refused is %v: %.300v", refused, err)
			}
		})
	}
}
