package closure

import (
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// lookUp is what stands at key in a value: a member of an object, an element of
// an array, the member itself of a set. It is nil where there is none.
func lookUp(m *machine, in, key *ast.Term) *ast.Term {
	key = settle(m, key)
	if key == nil {
		return nil
	}
	switch v := in.Value.(type) {
	case *lazy:
		return v.get(m, key)
	case *ast.Array:
		return v.Get(key)
	case *building:
		switch v.kind {
		case objectKind:
			return v.object.get(key)
		case setKind:
			if v.contains(key) {
				return key
			}
			return nil
		}
		return lookUp(m, v.settle(m), key)
	case ast.Object:
		return v.Get(key)
	case ast.Set:
		if v.Contains(key) {
			return key
		}
	}
	return nil
}

// inBase is lookUp in a base document. OPA's stores know a document by its
// path, which is text: number 5 finds the member "5" of an object, and "5" the
// element of an array.
func inBase(m *machine, in, key *ast.Term) *ast.Term {
	if found := lookUp(m, in, key); found != nil {
		return found
	}
	switch v := in.Value.(type) {
	case *lazy, *building:
	case ast.Object:
		if number, isNumber := key.Value.(ast.Number); isNumber {
			return v.Get(ast.StringTerm(string(number)))
		}
	case *ast.Array:
		if text, isText := key.Value.(ast.String); isText {
			if i, err := strconv.ParseUint(string(text), 10, 32); err == nil && int(i) < v.Len() {
				return v.Elem(int(i))
			}
		}
	}
	return nil
}

// each calls visit with the members of a collection, in OPA's order, until it
// returns false. What is no collection has none.
func each(m *machine, of *ast.Term, visit func(key, value *ast.Term) bool) {
	switch v := of.Value.(type) {
	case *ast.Array:
		for i := range v.Len() {
			if !visit(ast.InternedTerm(i), v.Elem(i)) {
				return
			}
		}
	case *lazy, *building:
		if whole := settle(m, of); whole != nil {
			each(m, whole, visit)
		}
	case ast.Set:
		for _, member := range v.Slice() {
			if !visit(member, member) {
				return
			}
		}
	case ast.Object:
		v.Until(func(key, value *ast.Term) bool { return !visit(key, value) })
	}
}

// lengthOf is how many members a collection has, and whether it is one.
func lengthOf(m *machine, of *ast.Term) (int, bool) {
	switch v := of.Value.(type) {
	case *building:
		return v.len(), true
	case *lazy:
		if v.kind == sentLazy {
			return v.sentLength(), true
		}
		if of = v.settle(m); of == nil {
			return 0, false
		}
		return lengthOf(m, of)
	case *ast.Array:
		return v.Len(), true
	case ast.Set:
		return v.Len(), true
	case ast.Object:
		return v.Len(), true
	default:
		return 0, false
	}
}
