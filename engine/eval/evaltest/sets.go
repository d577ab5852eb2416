package evaltest

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
)

// OPA goes through a set that is written with variables, {"b", input.x}, as it is
// written: in the order of the variables' names, and twice where two have the same
// value. In a set that is made by a call, members have their order and stand once,
// as they do wherever else. A policy cannot tell the one from the other, but in an
// array that it makes of the members.

// withSetsMade is OPA's answer where a call makes each set that is written with
// variables; false where there is none.
func (c *compiledCase) withSetsMade(ctx context.Context, q question) (answer, bool) {
	made := false
	compiler := newCompiler().WithStageAfterID(ast.StageCheckTypes, ast.CompilerStageDefinition{
		Name: "MakeSets", MetricName: "make_sets", Stage: func(compiler *ast.Compiler) *ast.Error {
			for _, module := range compiler.Modules {
				ast.WalkExprs(module, func(expr *ast.Expr) bool {
					made = makeSet(expr) || made
					return false
				})
			}
			return nil
		},
	})
	compiler.Compile(c.modules)
	if compiler.Failed() || !made {
		return answer{}, false
	}
	return c.ask(ctx, Reference, compiler, q), true
}

// makeSet makes an equality of a variable and a set with variables a call.
func makeSet(expr *ast.Expr) bool {
	if !expr.IsEquality() {
		return false
	}
	to, from := expr.Operand(0), expr.Operand(1)
	set, isSet := from.Value.(ast.Set)
	if _, isVar := to.Value.(ast.Var); !isVar || !isSet || set.IsGround() {
		return false
	}
	expr.Terms = []*ast.Term{ast.NewTerm(ast.Union.Ref()), ast.SetTerm(from), to}
	return true
}
