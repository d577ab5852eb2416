package rego_test

import (
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/policy/rego"
)

func TestCompileRefusesMocksThatCallWhatTheyReplace(t *testing.T) {
	tests := []struct {
		name, module string
		refused      bool
	}{
		{"the function itself", "allow if level == 1 with rank as level\nlevel := rank(1)\nrank(x) := x", true},
		{"by way of another rule", "allow if level == 1 with rank as level\nlevel := other\nother := rank(1)\nrank(x) := x", true},
		{"by way of another function", "allow if level == 1 with rank as level\nlevel := f(1)\nf(x) := rank(x)\nrank(x) := x", true},
		{"in an else", "allow if level == 1 with rank as level\nlevel := 1 if input.x else := rank(1)\nrank(x) := x", true},
		{"a built-in", "allow if level == 1 with count as level\nlevel := count(input.x)", true},
		{"in a comprehension", "allow if [1 | level == 1 with count as level] == [1]\nlevel := count(input.x)", true},
		{"by turns", "allow if x == 1 with f as x with g as y\nx := g(1)\ny := f(1)\nf(a) := a\ng(a) := a", true},
		{"another rule", "allow if level == 1 with rank as two\nlevel := rank(1)\ntwo := 2\nrank(x) := x", false},
		{"a function", "allow if level == 1 with rank as double\nlevel := rank(1)\nrank(x) := x\ndouble(x) := rank(x) * 2", false},
		{"what the rule comes out as", "allow if level == 1 with rank as [level][0]\nlevel := rank(1)\nrank(x) := x", false},
		{"even where the rule replaces it again", "allow if level == 1 with rank as three\nlevel := rank(1)\nthree := 3 if level == 3 with rank as 3\nrank(x) := x", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := rego.Compile(read(t, files{"x.rego": "package authz\n\n" + tt.module}), rego.Options{})
			refused := err != nil && strings.Contains(err.Error(), "x.rego:3: ") && strings.Contains(err.Error(), "which it calls itself")
			if refused != tt.refused || err != nil && !refused {
				t.Errorf("refused is %v: %v", refused, err)
			}
		})
	}
}
