package rego

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
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

// The planner finds some expressions in another order than they are written in,
// but nobody else does.
func TestPlanLeavesTheCompilersOutcomeAsItIs(t *testing.T) {
	const module = `package authz
import rego.v2
allow if {
	not {[x | some x in data.xs] == data.ys[_]}
	every y in [1 | {x | x := 1} == data.z with count as 1 with input.a as 2] { f(y) with f as 1 with data.z as 2 }
} else if {
	{[x | some x in data.xs] == data.ys} or {[x | some x in data.xs] == data.zs}
}
f(x) if [y | y := x] == input.ys
deny contains x if some x in {k: v | some k, v in [1 | [x | x := 1] == input.a]}
`
	compiler := ast.MustCompileModulesWithOpts(map[string]string{"policy.rego": module}, ast.CompileOpts{
		ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1},
	})
	query := ast.MustParseBody("[x | x := 1] == data.xs with count as 1 with input.a as 2")
	written := []string{compiler.Modules["policy.rego"].String(), query.String()}
	if _, err := Plan(t.Context(), compiler, query); err != nil {
		t.Fatal(err)
	}
	if after := compiler.Modules["policy.rego"].String(); after != written[0] {
		t.Errorf("the module is\n%s\nbut was\n%s", after, written[0])
	}
	if after := query.String(); after != written[1] {
		t.Errorf("the query is %s but was %s", after, written[1])
	}
}

// A plan has nothing of a with that replaces functions but the places of what
// stands under it.
func TestPlanTellsWhatStandsUnderAMock(t *testing.T) {
	compiler := ast.MustCompileModulesWithOpts(map[string]string{"policy.rego": `package authz
allow if {
	input.a == "mocked" with count as 1
	input.b == "not mocked" with data.x as 1
	input.c == "not mocked"
}`}, ast.CompileOpts{ParserOptions: ast.ParserOptions{RegoVersion: ast.RegoV1}})
	plan, err := Plan(t.Context(), compiler, ast.MustParseBody("x = data.authz.allow"))
	if err != nil {
		t.Fatal(err)
	}
	w := &equalities{plan: plan, told: make(map[string]bool)}
	if err := ir.Walk(w, plan); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"mocked": true, "not mocked": false}, w.told); diff != "" {
		t.Errorf("what stands under a mock (-want +got):\n%s", diff)
	}
}

// equalities notes what is told of the places of a plan's equalities, by the texts
// that they are with.
type equalities struct {
	plan *ir.Policy
	told map[string]bool
}

func (w *equalities) Before(any) {}
func (w *equalities) After(any)  {}

func (w *equalities) Visit(node any) (ir.Visitor, error) {
	if s, is := node.(*ir.EqualStmt); is {
		if index, isText := s.B.Value.(ir.StringIndex); isText {
			at := ast.NewLocation(s.Text, "policy.rego", s.Row, s.Col)
			w.told[w.plan.Static.Strings[index].Value] = MocksFunction(at)
		}
	}
	return w, nil
}
