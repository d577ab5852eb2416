package explain

import (
	"cmp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A part is a ref, a variable or a call that stands in the source.
type part struct {
	term *ast.Term
	with bool // it stands in a with, which it is not under
}

// partsOf are the parts of a piece of source, in order. Operators and names that
// are only declared are none.
func partsOf(piece any) []part {
	c := &collector{}
	c.walk(piece)
	slices.SortStableFunc(c.parts, func(a, b part) int {
		x, y := extentOf(a.term.Location), extentOf(b.term.Location)
		return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(y.to, x.to))
	})
	return c.parts
}

type collector struct {
	parts []part
	with  bool
}

func (c *collector) walk(x any) { ast.NewGenericVisitor(c.visit).Walk(x) }

func (c *collector) walkAll(terms []*ast.Term) {
	for _, term := range terms {
		c.walk(term)
	}
}

func (c *collector) visit(x any) (done bool) {
	switch x := x.(type) {
	case *ast.Expr:
		terms, isCall := x.Terms.([]*ast.Term)
		if !isCall {
			return false
		}
		c.walkAll(terms[1:])
		for _, with := range x.With {
			c.walk(with)
		}
		return true
	case *ast.SomeDecl:
		for _, symbol := range x.Symbols {
			if in, isCall := symbol.Value.(ast.Call); isCall {
				c.walkAll(in[1:])
			}
		}
		return true
	case *ast.With:
		c.with = true
		c.walk(x.Value)
		c.with = false
		return true
	case *ast.Term:
		return c.visitTerm(x)
	default:
		return false
	}
}

func (c *collector) visitTerm(t *ast.Term) (done bool) {
	if t.Location == nil {
		return false
	}
	switch v := t.Value.(type) {
	case ast.Var:
		c.parts = append(c.parts, part{t, c.with})
	case ast.Ref:
		c.parts = append(c.parts, part{t, c.with})
		c.walkAll(v[1:])
		return true
	case ast.Call:
		c.parts = append(c.parts, part{t, c.with})
		c.walkAll(v[1:])
		return true
	}
	return false
}
