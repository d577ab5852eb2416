package topdown

import (
	"fmt"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"pgregory.net/rapid"
)

// TestGraphsYieldWhatOPAYields holds the built-ins of graphs to OPA's own on random
// graphs: arrays and sets of neighbors, values that are neither, nodes that are
// missing, and cycles.
func TestGraphsYieldWhatOPAYields(t *testing.T) {
	node := rapid.Custom(func(t *rapid.T) *ast.Term {
		return ast.StringTerm(fmt.Sprintf("n%d", rapid.IntRange(0, 5).Draw(t, "node")))
	})
	nodes := rapid.Custom(func(t *rapid.T) *ast.Term {
		members := rapid.SliceOfN(node, 0, 3).Draw(t, "nodes")
		if rapid.Bool().Draw(t, "as a set") {
			return ast.SetTerm(members...)
		}
		return ast.ArrayTerm(members...)
	})
	for _, opas := range []string{ast.ReachableBuiltin.Name, ast.ReachablePathsBuiltin.Name} {
		function := standIns["verdict."+opas]
		t.Run(opas, rapid.MakeCheck(func(t *rapid.T) {
			graph := ast.NewObject()
			for range rapid.IntRange(0, 6).Draw(t, "edges") {
				edges := nodes.Draw(t, "neighbors")
				if rapid.IntRange(0, 9).Draw(t, "odd") == 0 {
					edges = ast.InternedNullTerm
				}
				graph.Insert(node.Draw(t, "from"), edges)
			}
			operands := []*ast.Term{ast.NewTerm(graph), nodes.Draw(t, "initial")}
			got := call(t, function.Func, operands)
			want := call(t, topdown.GetBuiltin(opas), operands)
			if got.Compare(want) != 0 {
				t.Errorf("%s of %v is %v, not %v", opas, operands, got, want)
			}
		}))
	}
}

func call(t *rapid.T, f topdown.BuiltinFunc, operands []*ast.Term) ast.Value {
	var result *ast.Term
	err := f(topdown.BuiltinContext{}, operands, func(term *ast.Term) error { result = term; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return result.Value
}
