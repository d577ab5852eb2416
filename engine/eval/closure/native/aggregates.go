package native

import (
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

var aggregateFunctions = map[string]Func{
	ast.Count.Name:   {Unary: count},
	ast.Sum.Name:     {Unary: sum},
	ast.Product.Name: {Unary: product},
	ast.Max.Name:     {Unary: maximum},
	ast.Min.Name:     {Unary: minimum},
	ast.Sort.Name:    {Unary: sorted},
	ast.All.Name:     {Unary: all},
	ast.Any.Name:     {Unary: anyOf},
}

var aggregateSpreads = map[string]Spread{
	ast.Sum.Name:     spreadFold(ast.Sum.Name, 0, add),
	ast.Product.Name: spreadFold(ast.Product.Name, 1, times),
	ast.Max.Name:     func(_ *ast.Term, list []*ast.Term) (*ast.Term, error) { return elements{list: list}.maximum(), nil },
	ast.Min.Name:     func(_ *ast.Term, list []*ast.Term) (*ast.Term, error) { return elements{list: list}.minimum(), nil },
}

// count is the number of members, or of characters of a string.
func count(a *ast.Term) (*ast.Term, error) {
	switch c := a.Value.(type) {
	case *ast.Array:
		return ast.IntNumberTerm(c.Len()), nil
	case ast.String:
		return ast.IntNumberTerm(utf8.RuneCountInString(string(c))), nil
	case ast.Set:
		return ast.IntNumberTerm(c.Len()), nil
	case ast.Object:
		return ast.IntNumberTerm(c.Len()), nil
	}
	return reference(ast.Count.Name, a)
}

func sum(a *ast.Term) (*ast.Term, error) { return folded(ast.Sum.Name, a, 0, add) }

func product(a *ast.Term) (*ast.Term, error) { return folded(ast.Product.Name, a, 1, times) }

func folded(name string, a *ast.Term, start int64, combine combination) (*ast.Term, error) {
	if of, ok := elementsOf(a.Value); ok {
		if result := of.folded(start, combine); result != nil {
			return result, nil
		}
	}
	return reference(name, a)
}

// spreadFold is a Spread that folds.
func spreadFold(name string, start int64, combine combination) Spread {
	return func(_ *ast.Term, list []*ast.Term) (*ast.Term, error) {
		of := elements{list: list}
		if result := of.folded(start, combine); result != nil {
			return result, nil
		}
		return reference(name, of.term())
	}
}

type combination func(x, y int64) (int64, bool)

// folded combines integers, as long as the result is one of 64 bits; it is nil
// where OPA has to be asked.
func (e elements) folded(result int64, combine combination) *ast.Term {
	for i := range e.len() {
		x, ok := integer(e.at(i).Value)
		if !ok {
			return nil
		}
		if result, ok = combine(result, x); !ok {
			return nil
		}
	}
	return number(result)
}

// maximum is the last of the largest elements of an array and the first of
// those of a set, which can hold several where numbers are too large for OPA to
// hash them alike.
func maximum(a *ast.Term) (*ast.Term, error) {
	switch c := a.Value.(type) {
	case *ast.Array:
		return elements{array: c}.maximum(), nil
	case ast.Set:
		if c.Len() == 0 {
			return nil, nil
		}
		inOrder := c.Slice()
		last := len(inOrder) - 1
		for last > 0 && Equal(inOrder[last-1], inOrder[last]) {
			last--
		}
		return inOrder[last], nil
	}
	return reference(ast.Max.Name, a)
}

// maximum is the last of the largest elements, nil of none.
func (e elements) maximum() *ast.Term {
	var largest *ast.Term
	for i := range e.len() {
		if element := e.at(i); largest == nil || Compare(largest, element) <= 0 {
			largest = element
		}
	}
	return largest
}

// minimum is the last of the smallest elements of an array, and the first
// element of a set.
func minimum(a *ast.Term) (*ast.Term, error) {
	switch c := a.Value.(type) {
	case *ast.Array:
		return elements{array: c}.minimum(), nil
	case ast.Set:
		if c.Len() == 0 {
			return nil, nil
		}
		return c.Slice()[0], nil
	}
	return reference(ast.Min.Name, a)
}

func (e elements) minimum() *ast.Term {
	var smallest *ast.Term
	for i := range e.len() {
		if element := e.at(i); smallest == nil || Compare(smallest, element) >= 0 {
			smallest = element
		}
	}
	return smallest
}

func sorted(a *ast.Term) (*ast.Term, error) {
	switch c := a.Value.(type) {
	case *ast.Array:
		return ast.NewTerm(c.Sorted()), nil
	case ast.Set:
		return ast.NewTerm(c.Sorted()), nil
	}
	return reference(ast.Sort.Name, a)
}

func all(a *ast.Term) (*ast.Term, error) {
	of, ok := elementsOf(a.Value)
	if !ok {
		return reference(ast.All.Name, a)
	}
	for i := range of.len() {
		if of.at(i).Value != ast.InternedBooleanTrueValue {
			return ast.InternedBooleanFalse, nil
		}
	}
	return ast.InternedBooleanTrue, nil
}

func anyOf(a *ast.Term) (*ast.Term, error) {
	of, ok := elementsOf(a.Value)
	if !ok {
		return reference(ast.Any.Name, a)
	}
	for i := range of.len() {
		if of.at(i).Value == ast.InternedBooleanTrueValue {
			return ast.InternedBooleanTrue, nil
		}
	}
	return ast.InternedBooleanFalse, nil
}
