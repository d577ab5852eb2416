package rego

import (
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"
)

// refsFirst is a compiler's outcome in which the equality of a comprehension and
// a reference has the reference first. OPA evaluates the reference first wherever
// it stands, and the comprehension, with its errors, only for what the reference
// finds; OPA's planner takes the two as they are written. The rest of the outcome
// is shared.
func refsFirst(compiler *ast.Compiler) *ast.Compiler {
	turned := *compiler
	turned.Modules = maps.Clone(compiler.Modules)
	for name, module := range compiler.Modules {
		var rules []*ast.Rule
		for i, rule := range module.Rules {
			if !comprehensionFirst(rule) {
				continue
			}
			if rules == nil {
				rules = append(rules, module.Rules...)
			}
			rules[i] = rule.Copy()
			turn(rules[i])
		}
		if rules != nil {
			m := *module
			m.Rules = rules
			turned.Modules[name] = &m
		}
	}
	return &turned
}

// comprehensionFirst reports whether an equality in a rule or body is to be
// turned.
func comprehensionFirst(in any) (found bool) {
	ast.WalkExprs(in, func(expr *ast.Expr) bool {
		found = found || isComprehensionFirst(expr)
		return found
	})
	return found
}

// turn turns the equalities in a rule or body.
func turn(in any) {
	ast.WalkExprs(in, func(expr *ast.Expr) bool {
		if isComprehensionFirst(expr) {
			terms := expr.Terms.([]*ast.Term)
			terms[1], terms[2] = terms[2], terms[1]
		}
		return false
	})
}

func isComprehensionFirst(expr *ast.Expr) bool {
	if !expr.IsCall() || len(expr.Operands()) != 2 {
		return false
	}
	operator := expr.Operator()
	if !operator.Equal(ast.Equality.Ref()) && !operator.Equal(ast.Equal.Ref()) {
		return false
	}
	_, isRef := expr.Operand(1).Value.(ast.Ref)
	return isRef && ast.IsComprehension(expr.Operand(0).Value)
}
