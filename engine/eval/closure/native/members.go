package native

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

var memberPredicates = map[string]Predicate{
	ast.Member.Name: func(x, collection *ast.Term) (bool, error) { return Member(x, collection), nil },
}

var memberFunctions = map[string]Func{
	ast.MemberWithKey.Name: {Ternary: memberWithKey},
}

// Member is x in collection: among the elements of an array or a set, or the
// values of an object. Nothing is in what is not a collection.
func Member(x, collection *ast.Term) bool {
	switch c := collection.Value.(type) {
	case *ast.Array:
		return InArray(x, c)
	case ast.Set:
		return c.Contains(x)
	case ast.Object:
		return c.Until(func(_, value *ast.Term) bool { return Equal(x, value) })
	}
	return false
}

// InArray reports whether x equals an element. It looks at the type of x once, not
// once an element.
func InArray(x *ast.Term, elements *ast.Array) bool {
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
