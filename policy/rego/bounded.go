package rego

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// Built-ins that take the place of OPA's of the same purpose, which look
// neither at the clock nor at whether they are to stop: on a graph of a few
// layers, OPA's graph.reachable visits nodes again by every way that leads to
// them, which is exponential in the layers.
//
// Compile turns each call of OPA's, mocks included, into a call of ours; an
// evaluator brings the functions, with the same results. A policy is written
// with OPA's names, and its errors and explanations show them. (OPA looks up
// functions under its own names in a table of the whole process before any that
// a query brings, so theirs cannot be replaced for one query.)
var (
	Reachable      = standIn(ast.ReachableBuiltin)
	ReachablePaths = standIn(ast.ReachablePathsBuiltin)
)

// standIn declares the built-in that takes the place of OPA's.
func standIn(b *ast.Builtin) *ast.Builtin {
	return &ast.Builtin{Name: "verdict." + b.Name, Description: b.Description, Categories: b.Categories, Decl: b.Decl}
}

// bounded are the refs of OPA's built-ins that have a stand-in, and of these.
func bounded() [][2]ast.Ref {
	return [][2]ast.Ref{
		{ast.ReachableBuiltin.Ref(), Reachable.Ref()},
		{ast.ReachablePathsBuiltin.Ref(), ReachablePaths.Ref()},
	}
}

// withStandIns makes a compiler put the stand-ins in, once all findings about
// the policy have been reported under OPA's names.
func withStandIns(compiler *ast.Compiler) *ast.Compiler {
	capabilities := compiler.Capabilities()
	capabilities.Builtins = append(capabilities.Builtins, Reachable, ReachablePaths)
	return compiler.WithStageAfterID(ast.StageCheckTypes, ast.CompilerStageDefinition{
		Name:       "StandIns",
		MetricName: "compile_stage_stand_ins",
		Stage:      putStandIns,
	})
}

func putStandIns(compiler *ast.Compiler) *ast.Error {
	pairs := bounded()
	for _, module := range compiler.Modules {
		ast.WalkTerms(module, func(term *ast.Term) bool {
			ref, isRef := term.Value.(ast.Ref)
			if !isRef {
				return false
			}
			for _, pair := range pairs {
				if ref.Equal(pair[0]) {
					term.Value = pair[1]
				}
			}
			return false
		})
	}
	return nil
}
