package native

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// elements are those of an array or a set, in order.
type elements struct {
	array *ast.Array
	list  []*ast.Term
}

// elementsOf is false for what is neither an array nor a set.
func elementsOf(v ast.Value) (elements, bool) {
	switch c := v.(type) {
	case *ast.Array:
		return elements{array: c}, true
	case ast.Set:
		return elements{list: c.Slice()}, true
	}
	return elements{}, false
}

func (e elements) len() int {
	if e.array != nil {
		return e.array.Len()
	}
	return len(e.list)
}

func (e elements) at(i int) *ast.Term {
	if e.array != nil {
		return e.array.Elem(i)
	}
	return e.list[i]
}

// term is an array of the elements, which takes none of their memory.
func (e elements) term() *ast.Term { return ast.ArrayTerm(slices.Clone(e.list)...) }
