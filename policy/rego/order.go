package rego

import (
	"bytes"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// ordered is a compiler's outcome as OPA's planner has to find it. Two things are
// in another order, where the order in which they are written means nothing to
// OPA's evaluator:
//
//   - The equality of a comprehension and a reference has the reference first. OPA
//     evaluates the reference first wherever it stands, and the comprehension, with
//     its errors, only for what the reference finds; the planner takes the two as
//     they are written.
//   - What with puts in the place of documents comes before what it puts in the
//     place of functions. The planner counts the former by themselves, and then
//     takes one for another.
//
// And what stands under a with that puts something in the place of functions has a
// place that says so, for there is nothing of such a with in a plan, and so has the
// head of a rule that has variables; see MocksFunction and told.
//
// What may stay as it is is shared.
func ordered(compiler *ast.Compiler) *ast.Compiler {
	turned := *compiler
	turned.Modules = maps.Clone(compiler.Modules)
	o := orderer{compiler}
	for name, module := range compiler.Modules {
		m := *module
		m.Rules = slices.Clone(module.Rules)
		for i, rule := range module.Rules {
			if o.isOutOfOrder(rule) {
				rule = rule.Copy()
				o.order(rule)
			}
			m.Rules[i] = told(rule)
		}
		turned.Modules[name] = &m
	}
	return &turned
}

type orderer struct{ compiler *ast.Compiler }

// isOutOfOrder reports whether an expression in a rule or body needs another
// order or place.
func (o orderer) isOutOfOrder(in any) (found bool) {
	ast.WalkExprs(in, func(expr *ast.Expr) bool {
		found = found || isComprehensionFirst(expr) || slices.ContainsFunc(expr.With, o.replacesFunction)
		return found
	})
	return found
}

// order puts the expressions in a rule or body in order and in their places.
func (o orderer) order(in any) {
	ast.WalkExprs(in, func(expr *ast.Expr) bool {
		if isComprehensionFirst(expr) {
			terms := expr.Terms.([]*ast.Term)
			terms[1], terms[2] = terms[2], terms[1]
		}
		slices.SortStableFunc(expr.With, o.documentsFirst)
		if slices.ContainsFunc(expr.With, o.replacesFunction) {
			expr.Location = noted(expr.Location, underMock)
		}
		return false
	})
}

// underMock ends the text of a place under a with that replaces functions.
const underMock = "\x00mocked"

// MocksFunction reports whether the place of a statement of a plan says that it
// stands under a with that puts something in the place of functions. OPA's index
// does not look at what does.
func MocksFunction(at *ast.Location) bool {
	return at != nil && bytes.HasSuffix(at.Text, []byte(underMock))
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

// documentsFirst compares what two modifiers replace.
func (o orderer) documentsFirst(a, b *ast.With) int {
	switch first, second := o.replacesFunction(a), o.replacesFunction(b); {
	case first == second:
		return 0
	case first:
		return 1
	default:
		return -1
	}
}

func (o orderer) replacesFunction(with *ast.With) bool {
	target, isRef := with.Target.Value.(ast.Ref)
	if !isRef {
		return false
	}
	if !target.HasPrefix(ast.DefaultRootRef) && !target.HasPrefix(ast.InputRootRef) {
		return true
	}
	return slices.ContainsFunc(o.compiler.GetRulesExact(target), func(rule *ast.Rule) bool { return len(rule.Head.Args) > 0 })
}
