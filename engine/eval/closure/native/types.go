package native

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

var typeFunctions = map[string]Func{
	ast.IsNull.Name:          {Unary: is[ast.Null]},
	ast.IsBoolean.Name:       {Unary: is[ast.Boolean]},
	ast.IsNumber.Name:        {Unary: is[ast.Number]},
	ast.IsString.Name:        {Unary: is[ast.String]},
	ast.IsArray.Name:         {Unary: is[*ast.Array]},
	ast.IsSet.Name:           {Unary: is[ast.Set]},
	ast.IsObject.Name:        {Unary: is[ast.Object]},
	ast.TypeNameBuiltin.Name: {Unary: typeName},
	ast.ToNumber.Name:        {Unary: toNumber},
}

func is[Type ast.Value](a *ast.Term) (*ast.Term, error) {
	_, ok := a.Value.(Type)
	return boolean(ok), nil
}

var typeNames = struct{ null, boolean, number, string, array, set, object *ast.Term }{
	null:    ast.InternedTerm("null"),
	boolean: ast.InternedTerm("boolean"),
	number:  ast.InternedTerm("number"),
	string:  ast.InternedTerm("string"),
	array:   ast.InternedTerm("array"),
	set:     ast.InternedTerm("set"),
	object:  ast.InternedTerm("object"),
}

func typeName(a *ast.Term) (*ast.Term, error) {
	switch a.Value.(type) {
	case ast.String:
		return typeNames.string, nil
	case ast.Number:
		return typeNames.number, nil
	case ast.Boolean:
		return typeNames.boolean, nil
	case ast.Null:
		return typeNames.null, nil
	case *ast.Array:
		return typeNames.array, nil
	case ast.Object:
		return typeNames.object, nil
	case ast.Set:
		return typeNames.set, nil
	}
	return reference(ast.TypeNameBuiltin.Name, a)
}

// toNumber is the number that a text spells, 1 for true, and 0 for false and
// null.
func toNumber(a *ast.Term) (*ast.Term, error) {
	switch v := a.Value.(type) {
	case ast.Number:
		return a, nil
	case ast.String:
		if n := ast.Number(v); canonical(n) {
			const most = 308 // digits, which no float64 is too small for
			if known := ast.InternedIntNumberTermFromString(string(v)); known != nil {
				return known, nil
			}
			if len(v) <= most {
				return ast.NewTerm(n), nil
			}
		}
	}
	return reference(ast.ToNumber.Name, a)
}
