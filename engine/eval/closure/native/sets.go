package native

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

var setFunctions = map[string]Func{
	ast.And.Name:          {Binary: and},
	ast.Or.Name:           {Binary: or},
	ast.Intersection.Name: {Unary: intersection},
	ast.Union.Name:        {Unary: union},
}

// few is how many terms of a set in the making lie on the stack.
const few = 32

func twoSets(a, b *ast.Term) (s, t ast.Set, ok bool) {
	if s, ok = a.Value.(ast.Set); !ok {
		return nil, nil, false
	}
	t, ok = b.Value.(ast.Set)
	return s, t, ok
}

// and is what two sets have in common.
func and(a, b *ast.Term) (*ast.Term, error) {
	s, t, ok := twoSets(a, b)
	if !ok {
		return reference(ast.And.Name, a, b)
	}
	return common(a, b, s, t), nil
}

// common is the smaller of two sets if the other holds all of it.
func common(a, b *ast.Term, s, t ast.Set) *ast.Term {
	if t.Len() < s.Len() {
		a, s, t = b, t, s
	}
	var room [few]*ast.Term
	held := room[:0]
	for _, element := range s.Slice() {
		if t.Contains(element) {
			held = append(held, element)
		}
	}
	switch len(held) {
	case 0:
		return ast.InternedEmptySet
	case s.Len():
		return a
	}
	return ast.SetTerm(held...)
}

// or is what is in one of two sets or in both: the first if it holds all of the
// second.
func or(a, b *ast.Term) (*ast.Term, error) {
	s, t, ok := twoSets(a, b)
	if !ok {
		return reference(ast.Or.Name, a, b)
	}
	if s.Len() == 0 {
		return b, nil
	}
	var room [few]*ast.Term
	elements := append(room[:0], s.Slice()...)
	for _, element := range t.Slice() {
		if !s.Contains(element) {
			elements = append(elements, element)
		}
	}
	if len(elements) == s.Len() {
		return a, nil
	}
	return ast.SetTerm(elements...), nil
}

// holds tells whether all of t is in s.
func holds(s, t ast.Set) bool {
	for _, element := range t.Slice() {
		if !s.Contains(element) {
			return false
		}
	}
	return true
}

// without is the first of two sets less what is in the second: the first if they
// have nothing in common.
func without(a *ast.Term, s, t ast.Set) *ast.Term {
	var room [few]*ast.Term
	left := room[:0]
	for _, element := range s.Slice() {
		if !t.Contains(element) {
			left = append(left, element)
		}
	}
	switch {
	// Equal sets may hold numbers that are too large for OPA to hash them
	// alike, and so not contain each other's.
	case len(left) == 0, s.Len() == t.Len() && s.Compare(t) == 0:
		return ast.InternedEmptySet
	case len(left) == s.Len():
		return a
	}
	return ast.SetTerm(left...)
}

// intersection is what all of a set of sets have in common.
func intersection(a *ast.Term) (*ast.Term, error) {
	sets, ok := setsIn(a)
	if !ok {
		return reference(ast.Intersection.Name, a)
	}
	if len(sets) == 0 {
		return ast.InternedEmptySet, nil
	}
	result := sets[0]
	for _, other := range sets[1:] {
		result = common(result, other, result.Value.(ast.Set), other.Value.(ast.Set))
	}
	return result, nil
}

// union is what is in any of a set of sets.
func union(a *ast.Term) (*ast.Term, error) {
	sets, ok := setsIn(a)
	if !ok {
		return reference(ast.Union.Name, a)
	}
	switch len(sets) {
	case 0:
		return ast.InternedEmptySet, nil
	case 1:
		return sets[0], nil
	}
	var room [few]*ast.Term
	elements := room[:0]
	for _, s := range sets {
		elements = append(elements, s.Value.(ast.Set).Slice()...)
	}
	return ast.SetTerm(elements...), nil
}

// setsIn is false for what is not a set of sets.
func setsIn(a *ast.Term) ([]*ast.Term, bool) {
	s, ok := a.Value.(ast.Set)
	if !ok {
		return nil, false
	}
	sets := s.Slice()
	for _, element := range sets {
		if _, ok := element.Value.(ast.Set); !ok {
			return nil, false
		}
	}
	return sets, true
}
