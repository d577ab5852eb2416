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
	return selected(a, s, t, true)
}

// without is the first of two sets less what is in the second: the first if they
// have nothing in common.
func without(a *ast.Term, s, t ast.Set) *ast.Term {
	// Equal sets may hold numbers that are too large for OPA to hash them alike,
	// and so not contain each other's.
	if s.Len() == t.Len() && s.Compare(t) == 0 {
		return ast.InternedEmptySet
	}
	return selected(a, s, t, false)
}

// selected is those elements of the set s of the term a that t holds, or that it
// does not hold. A set is only made of them if they are neither all nor none.
func selected(a *ast.Term, s, t ast.Set, held bool) *ast.Term {
	var result ast.Set
	all := 0 // of the elements so far, as long as none is missing
	for i, element := range s.Slice() {
		switch {
		case t.Contains(element) != held:
			if all > 0 && result == nil {
				result = ast.NewSetWithCapacity(s.Len())
				addAll(result, s.Slice()[:all])
			}
		case result != nil:
			result.Add(element)
		case all == i:
			all++
		default:
			result = ast.NewSetWithCapacity(s.Len())
			result.Add(element)
		}
	}
	switch {
	case result != nil:
		return ast.NewTerm(result)
	case all > 0:
		return a
	}
	return ast.InternedEmptySet
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
	for i, element := range t.Slice() {
		if s.Contains(element) {
			continue
		}
		result := ast.NewSetWithCapacity(max(s.Len(), t.Len()))
		addAll(result, s.Slice())
		addAll(result, t.Slice()[i:])
		return ast.NewTerm(result), nil
	}
	return a, nil
}

func addAll(s ast.Set, elements []*ast.Term) {
	for _, element := range elements {
		s.Add(element)
	}
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
	size := 0
	for _, s := range sets {
		size = max(size, s.Value.(ast.Set).Len())
	}
	result := ast.NewSetWithCapacity(size)
	for _, s := range sets {
		addAll(result, s.Value.(ast.Set).Slice())
	}
	return ast.NewTerm(result), nil
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
