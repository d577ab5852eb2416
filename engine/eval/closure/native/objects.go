package native

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

var objectFunctions = map[string]Func{
	ast.ObjectGet.Name:   {Ternary: objectGet},
	ast.ObjectKeys.Name:  {Unary: objectKeys},
	ast.ObjectUnion.Name: {Binary: objectUnion},
}

var objectPredicates = map[string]Predicate{
	ast.ObjectSubset.Name: objectSubset,
}

// objectGet is what a key, or each key of an array in turn, leads to in an
// object and what it holds.
func objectGet(object, path, otherwise *ast.Term) (*ast.Term, error) {
	o, ok := object.Value.(ast.Object)
	if !ok {
		return reference(ast.ObjectGet.Name, object, path, otherwise)
	}
	keys, ok := path.Value.(*ast.Array)
	if !ok {
		if value := o.Get(path); value != nil {
			return value, nil
		}
		return otherwise, nil
	}
	at := object
	for i := range keys.Len() {
		if at = at.Get(keys.Elem(i)); at == nil {
			return otherwise, nil
		}
	}
	return at, nil
}

func objectKeys(a *ast.Term) (*ast.Term, error) {
	o, ok := a.Value.(ast.Object)
	if !ok {
		return reference(ast.ObjectKeys.Name, a)
	}
	if o.Len() == 0 {
		return ast.InternedEmptySet, nil
	}
	return ast.SetTerm(o.Keys()...), nil
}

// objectUnion has the members of both objects. Of those of one key, objects are
// united in turn, and otherwise the second's counts.
func objectUnion(a, b *ast.Term) (*ast.Term, error) {
	x, ok := a.Value.(ast.Object)
	if !ok {
		return reference(ast.ObjectUnion.Name, a, b)
	}
	y, ok := b.Value.(ast.Object)
	if !ok {
		return reference(ast.ObjectUnion.Name, a, b)
	}
	if x.Len() == 0 {
		return b, nil
	}
	if y.Len() == 0 || Equal(a, b) {
		return a, nil
	}
	united, _ := x.MergeWith(y, overridden)
	return ast.NewTerm(united), nil
}

// overridden is what becomes of two values of one key. That the two have to
// agree, which the second result tells, is never so.
func overridden(value, by *ast.Term) (*ast.Term, bool) {
	if x, ok := value.Value.(ast.Object); ok {
		if y, ok := by.Value.(ast.Object); ok {
			united, _ := x.MergeWith(y, overridden)
			return ast.NewTerm(united), false
		}
	}
	return by, false
}

// objectSubset tells whether the first holds all of the second. OPA's way with
// objects and arrays is its own.
func objectSubset(a, b *ast.Term) (bool, error) {
	if s, t, ok := twoSets(a, b); ok {
		return holds(s, t), nil
	}
	return referencePredicate(ast.ObjectSubset.Name, a, b)
}
