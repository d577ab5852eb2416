package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Conflict is what may have two values at once, at which a decision fails: two
// rules of one name, or one that draws its value from a collection, twice.
type Conflict [2]*ast.Rule

// Conflicts are those in a policy, as far as can be seen of its rules alone.
func (p *Policy) Conflicts() []Conflict { return p.conflicts() }

func conflictsOf(compiler *ast.Compiler) (all []Conflict) {
	groups := make(map[string][]*ast.Rule)
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		for _, rule := range compiler.Modules[name].Rules {
			if rule.Default || rule.Head.RuleKind() != ast.SingleValue {
				continue
			}
			if drawsValue(rule) {
				all = append(all, Conflict{rule, rule})
			}
			name := rule.Ref().GroundPrefix().String()
			for _, other := range groups[name] {
				if !excludes(rule, other) {
					all = append(all, Conflict{other, rule})
				}
			}
			groups[name] = append(groups[name], rule)
		}
	}
	return all
}

// isConstant reports whether a term is what it says.
func isConstant(term *ast.Term) bool {
	_, isVar := term.Value.(ast.Var)
	return term.IsGround() && !isVar && !hasRefs(term.Value)
}

func hasRefs(value ast.Value) (found bool) {
	ast.WalkRefs(value, func(ast.Ref) bool {
		found = true
		return true
	})
	return found
}

// excludes reports whether two rules never have different values for one question.
func excludes(a, b *ast.Rule) bool {
	same := true
	for _, chain := range []*ast.Rule{a, b} {
		for ; chain != nil; chain = chain.Else {
			same = same && isConstant(chain.Head.Value) && chain.Head.Value.Equal(a.Head.Value)
		}
	}
	return same || differ(a.Head.Args, b.Head.Args) || differ(a.Ref(), b.Ref())
}

// differ reports whether there is a place where the terms are different constants.
func differ(a, b []*ast.Term) bool {
	for i := range min(len(a), len(b)) {
		if isConstant(a[i]) && isConstant(b[i]) && !a[i].Equal(b[i]) {
			return true
		}
	}
	return false
}

// drawsValue reports whether a rule draws its value from a collection, and so may
// draw several.
func drawsValue(rule *ast.Rule) bool {
	for ; rule != nil; rule = rule.Else {
		if !isConstant(rule.Head.Value) && draws(rule) {
			return true
		}
	}
	return false
}

func draws(rule *ast.Rule) (draws bool) {
	bound := ast.NewVarSet()
	for _, argument := range rule.Head.Args {
		ast.WalkVars(argument, func(name ast.Var) bool {
			bound.Add(name)
			return false
		})
	}
	for _, expr := range rule.Body {
		if operands := expr.Operands(); expr.IsCall() && !expr.Negated && len(operands) > 0 {
			for _, operand := range operands {
				if name, isVar := operand.Value.(ast.Var); isVar {
					bound.Add(name)
				}
			}
		}
	}
	visitor := ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension, *ast.Every, *ast.Not:
			return true
		case *ast.Expr:
			if operator := x.Operator(); x.Negated || x.IsCall() && operator.Equal(ast.WalkBuiltin.Ref()) {
				draws = draws || !x.Negated
				return true
			}
		case ast.Ref:
			for _, index := range x[1:] {
				if name, isVar := index.Value.(ast.Var); isVar && !bound.Contains(name) {
					draws = true
				}
			}
		}
		return draws
	})
	visitor.Walk(rule.Body)
	return draws
}
