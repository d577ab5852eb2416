package native

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

var objectFunctions = map[string]Func{
	ast.ObjectGet.Name: {Ternary: objectGet},
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
