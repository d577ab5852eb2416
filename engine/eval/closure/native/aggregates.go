package native

import (
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

var aggregateFunctions = map[string]Func{
	ast.Count.Name: {Unary: count},
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
