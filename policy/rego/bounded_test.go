package rego_test

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/rego"
)

// TestCompilePutsStandIns looks at each place where a policy can name a built-in.
func TestCompilePutsStandIns(t *testing.T) {
	policy := compile(t, files{"x.rego": `package authz

import rego.v2

allow if "a" in graph.reachable(input.graph, {"b"})
allow if not count(graph.reachable_paths(input.graph, [])) == 1
allow if { every p in [x | some x in graph.reachable_paths({}, [])] { count(p) == 1 } }
allow if f({}, []) == {1} with f as graph.reachable
allow if graph.reachable({}, []) == {1} with graph.reachable as f
allow if strings.render_template("{{.x}}", input) == "a"

f(_, _) := set()

reasons := graph.reachable(input.graph, [])
`}, rego.Options{})
	found := make(map[string]int)
	for _, module := range policy.Compiler().Modules {
		ast.WalkRefs(module, func(ref ast.Ref) bool {
			found[ref.String()]++
			return false
		})
	}
	for _, name := range []string{ast.ReachableBuiltin.Name, ast.ReachablePathsBuiltin.Name, ast.RenderTemplate.Name} {
		if found[name] > 0 || found["verdict."+name] == 0 {
			t.Errorf("%s is left %d times and replaced %d times", name, found[name], found["verdict."+name])
		}
	}
}

// Findings show the names that policies are written with.
func TestFindingsShowTheNamesOfOPA(t *testing.T) {
	_, err := rego.Compile(read(t, files{"x.rego": "package authz\n\nallow if graph.reachable(1, {}) == 1"}), rego.Options{})
	wantInvalid(t, err, "b/x.rego:3: graph.reachable: ")
}
