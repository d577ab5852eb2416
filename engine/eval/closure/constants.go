package closure

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// foldConstants puts values that are known into the places of the locals that
// hold them: numbers, which the plan makes one statement each, and collections
// of what is constant, which it builds anew each time.
func foldConstants(b *block, fixed map[local]bool) {
	for {
		used := usageOf(b)
		for l := range fixed {
			used.asked[l] = true // somebody else reads it
		}
		by := make(map[local]expression)
		everyBlock(b, func(b *block) {
			b.statements = foldCollections(b.statements, used, by)
			b.statements = slices.DeleteFunc(b.statements, func(s statement) bool {
				a, isAssign := s.(*assign)
				if !isAssign || used.set[a.to] != 1 || used.asked[a.to] {
					return false
				}
				if c, isConstant := a.value.(constant); isConstant {
					by[a.to] = c
					return true
				}
				return false
			})
		})
		if len(by) == 0 {
			return
		}
		substitute(b, by)
	}
}

// foldCollections takes out of statements the collections that are created and
// filled with constants, one statement after another, and notes what they are.
func foldCollections(statements []statement, used usage, by map[local]expression) []statement {
	kept := statements[:0]
	for i := 0; i < len(statements); i++ {
		made, isCreate := statements[i].(*create)
		if !isCreate {
			kept = append(kept, statements[i])
			continue
		}
		filling := statements[i+1:]
		n := 0
		for n < len(filling) && fills(filling[n], made.to) {
			n++
		}
		if used.set[made.to] != 1+n || used.asked[made.to] {
			kept = append(kept, made)
			continue
		}
		by[made.to] = constant{collection(made.kind, filling[:n])}
		i += n
	}
	clear(statements[len(kept):])
	return kept
}

// fills reports whether a statement adds constants to a collection.
func fills(s statement, to local) bool {
	switch s := s.(type) {
	case *appendTo:
		return s.array == to && isConstant(s.value)
	case *addTo:
		return s.set == to && isConstant(s.value)
	case *insert:
		return s.object == to && !s.once && isConstant(s.key) && isConstant(s.value)
	default:
		return false
	}
}

// collection is what statements that add constants make.
func collection(of kind, filling []statement) *ast.Term {
	switch of {
	case arrayKind:
		elements := make([]*ast.Term, len(filling))
		for i, s := range filling {
			elements[i] = s.(*appendTo).value.(constant).term
		}
		return ast.ArrayTerm(elements...)
	case setKind:
		members := make([]*ast.Term, len(filling))
		for i, s := range filling {
			members[i] = s.(*addTo).value.(constant).term
		}
		set := ast.SetTerm(members...)
		sorted(set)
		return set
	default:
		object := ast.NewObject()
		for _, s := range filling {
			member := s.(*insert)
			if key := member.key.(constant).term; !member.written && object.Get(key) != nil {
				continue // see precedence
			}
			object.Insert(member.key.(constant).term, member.value.(constant).term)
		}
		term := ast.NewTerm(object)
		sorted(term)
		return term
	}
}
