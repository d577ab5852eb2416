package native

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

var memberPredicates = map[string]Predicate{
	ast.Member.Name: member,
}

var memberFunctions = map[string]Func{
	ast.MemberWithKey.Name: {Ternary: memberWithKey},
}

// member is x in collection: among the elements of an array or a set, or the
// values of an object. Nothing is in what is not a collection.
func member(x, collection *ast.Term) (bool, error) {
	switch c := collection.Value.(type) {
	case *ast.Array:
		return inArray(x, c), nil
	case ast.Set:
		return c.Contains(x), nil
	case ast.Object:
		return c.Until(func(_, value *ast.Term) bool { return Equal(x, value) }), nil
	}
	return false, nil
}

// inArray looks at the type of x once, not once an element.
func inArray(x *ast.Term, elements *ast.Array) bool {
	if text, ok := x.Value.(ast.String); ok {
		for i := range elements.Len() {
			if element, ok := elements.Elem(i).Value.(ast.String); ok && element == text {
				return true
			}
		}
		return false
	}
	for i := range elements.Len() {
		if Equal(x, elements.Elem(i)) {
			return true
		}
	}
	return false
}

// memberWithKey is key, value in collection.
func memberWithKey(key, value, collection *ast.Term) (*ast.Term, error) {
	switch c := collection.Value.(type) {
	case *ast.Array:
		return boolean(Equal(value, c.Get(key))), nil
	case ast.Object:
		return boolean(Equal(value, c.Get(key))), nil
	case ast.Set:
		return boolean(c.Contains(key) && Equal(key, value)), nil
	}
	return ast.InternedBooleanFalse, nil
}
