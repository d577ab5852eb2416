package evaltest

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// guardsFirst moves what an index may look at to the front of each body, in the
// order in which it stands. It neither fails nor binds what stands before it, so
// that the body holds for the same. Before all that, it asks that the paths are
// there with which comprehensions and patterns are compared.
func guardsFirst(compiler *ast.Compiler) *ast.Error {
	for _, module := range compiler.Modules {
		for _, rule := range module.Rules {
			ast.WalkRules(rule, func(rule *ast.Rule) bool {
				g := guards{compiler: compiler, known: ast.NewVarSet()}
				for _, argument := range rule.Head.Args {
					g.know(argument)
				}
				rule.Body = g.first(rule.Body)
				return false
			})
		}
	}
	return nil
}

// guards tells the guards of a body from its other expressions.
type guards struct {
	compiler *ast.Compiler
	known    ast.VarSet // the arguments, and what the guards so far bind
}

func (g guards) first(body ast.Body) ast.Body {
	var guards, others ast.Body
	for i, expr := range body {
		if path := g.compared(expr); path != nil {
			there := ast.Equality.Expr(ast.VarTerm(fmt.Sprintf("__there%d__", i)), path)
			guards = append(guards, there.SetLocation(expr.Location))
		}
		if g.guard(expr) {
			guards = append(guards, expr)
		} else {
			others = append(others, expr)
		}
	}
	body = slices.Concat(guards, others)
	for i, expr := range body {
		expr.Index = i
	}
	return body
}

// compared is the path in a base document that an expression compares with a
// comprehension, or with a pattern such as {"a": x}; nil for other expressions.
func (g guards) compared(expr *ast.Expr) *ast.Term {
	if expr.Negated || len(expr.With) > 0 || !expr.IsEquality() {
		return nil
	}
	a, b := expr.Operand(0), expr.Operand(1)
	if _, isRef := b.Value.(ast.Ref); !isRef {
		a, b = b, a
	}
	if _, isRef := b.Value.(ast.Ref); !isRef || !isComposite(a) || !g.simple(b) {
		return nil
	}
	return b
}

// isComposite reports whether a term is a collection or makes one.
func isComposite(term *ast.Term) bool {
	switch term.Value.(type) {
	case *ast.Array, ast.Object, ast.Set:
		return true
	default:
		return ast.IsComprehension(term.Value)
	}
}

// guard reports whether an expression is one, and knows what it binds.
func (g guards) guard(expr *ast.Expr) bool {
	if expr.Negated || slices.ContainsFunc(expr.With, g.matters) {
		return false
	}
	switch terms := expr.Terms.(type) {
	case *ast.Term:
		return g.simple(terms)
	case []*ast.Term:
		if len(terms) != 3 {
			return false
		}
		a, b := terms[1], terms[2]
		switch {
		case expr.IsEquality():
			return g.simple(a) && g.binds(b) || g.simple(b) && g.binds(a)
		case expr.Operator().Equal(ast.Equal.Ref()), expr.Operator().Equal(ast.Member.Ref()):
			return g.simple(a) && g.simple(b)
		}
	}
	return false
}

// matters reports whether a modifier may change what a guard looks at, or be
// undefined. A function that something constant or another function takes the
// place of does neither: guards call none.
func (g guards) matters(with *ast.With) bool {
	target, isRef := with.Target.Value.(ast.Ref)
	_, byFunction := with.Value.Value.(ast.Ref)
	if !isRef || !byFunction && !ast.IsConstant(with.Value.Value) {
		return true
	}
	isDocument := ast.RootDocumentNames.Contains(target[0])
	return isDocument && !slices.ContainsFunc(g.compiler.GetRulesExact(target), func(rule *ast.Rule) bool { return len(rule.Head.Args) > 0 })
}

// binds reports whether a term is simple or a variable, which is then known.
func (g guards) binds(term *ast.Term) bool {
	if _, isVar := term.Value.(ast.Var); isVar {
		g.know(term)
		return true
	}
	return g.simple(term)
}

func (g guards) know(term *ast.Term) {
	ast.WalkVars(term, func(name ast.Var) bool {
		g.known.Add(name)
		return false
	})
}

// simple reports whether a term is a constant, a known variable, or a ground ref
// to a base document.
func (g guards) simple(term *ast.Term) bool {
	switch value := term.Value.(type) {
	case ast.Var:
		return g.known.Contains(value)
	case ast.Ref:
		return ast.RootDocumentNames.Contains(value[0]) && value.IsGround() && !value.IsNested() && !g.virtual(value)
	default:
		return ast.IsConstant(value)
	}
}

// virtual reports whether rules yield what stands at a ref, or some of it.
func (g guards) virtual(ref ast.Ref) bool {
	node := g.compiler.RuleTree
	for _, name := range ref {
		node = node.Child(name.Value)
		if node == nil {
			return false
		}
		if len(node.Values) > 0 {
			return true
		}
	}
	return true
}
