package rego

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestPlanSaysWhatThePlannerCannotTake(t *testing.T) {
	tests := []struct{ name, module, want string }{
		{
			name: "a reference between rules of one prefix",
			module: `package authz
allow if p.x == 1
p[k] := v if some k, v in {"x": 1}
p.y.z := q
q := p.x`,
			want: "is not supported",
		},
		{
			name: "a function that takes the place of one it calls",
			module: `package authz
allow if not endswith(f(input.x), "/") with trim_space as f
f("a") := "b" if input.y
else := "c" if trim_space(input.x) == "d"`,
			want: "panics",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			compiler := ast.MustCompileModulesWithOpts(map[string]string{"policy.rego": tt.module}, ast.CompileOpts{
				ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1},
			})
			_, err := Plan(t.Context(), compiler, ast.MustParseBody("x = data.authz.allow"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, expected one with %q", err, tt.want)
			}
		})
	}
}
