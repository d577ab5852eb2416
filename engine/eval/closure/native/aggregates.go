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

// folded combines integers, as long as the result is one of 64 bits.
func folded(name string, a *ast.Term, result int64, combine func(x, y int64) (int64, bool)) (*ast.Term, error) {
	of, ok := elementsOf(a.Value)
	if !ok {
		return reference(name, a)
	}
	for i := range of.len() {
		x, ok := integer(of.at(i).Value)
		if !ok {
			return reference(name, a)
		}
		if result, ok = combine(result, x); !ok {
			return reference(name, a)
		}
	}
	return number(result), nil
}

// maximum is the last of the largest elements of an array and the first of
// those of a set, which can hold several where numbers are too large for OPA to
// hash them alike.
func maximum(a *ast.Term) (*ast.Term, error) {
	switch c := a.Value.(type) {
	case *ast.Array:
		if c.Len() == 0 {
			return nil, nil
		}
		largest := c.Elem(0)
		for i := 1; i < c.Len(); i++ {
			if Compare(largest, c.Elem(i)) <= 0 {
				largest = c.Elem(i)
			}
		}
		return largest, nil
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

// minimum is the last of the smallest elements of an array, and the first
// element of a set.
func minimum(a *ast.Term) (*ast.Term, error) {
	switch c := a.Value.(type) {
	case *ast.Array:
		if c.Len() == 0 {
			return nil, nil
		}
		smallest := c.Elem(0)
		for i := 1; i < c.Len(); i++ {
			if Compare(smallest, c.Elem(i)) >= 0 {
				smallest = c.Elem(i)
			}
		}
		return smallest, nil
	case ast.Set:
		if c.Len() == 0 {
			return nil, nil
		}
		return c.Slice()[0], nil
	}
	return reference(ast.Min.Name, a)
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
