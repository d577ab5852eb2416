package native

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

var stringPredicates = map[string]Predicate{
	ast.Contains.Name:   contains,
	ast.StartsWith.Name: startsWith,
	ast.EndsWith.Name:   endsWith,
}

func contains(a, b *ast.Term) (bool, error) {
	if text, part, ok := twoStrings(a, b); ok {
		return strings.Contains(text, part), nil
	}
	return referencePredicate(ast.Contains.Name, a, b)
}

func startsWith(a, b *ast.Term) (bool, error) {
	if text, prefix, ok := twoStrings(a, b); ok {
		return strings.HasPrefix(text, prefix), nil
	}
	return referencePredicate(ast.StartsWith.Name, a, b)
}

func endsWith(a, b *ast.Term) (bool, error) {
	if text, suffix, ok := twoStrings(a, b); ok {
		return strings.HasSuffix(text, suffix), nil
	}
	return referencePredicate(ast.EndsWith.Name, a, b)
}

func twoStrings(a, b *ast.Term) (x, y string, ok bool) {
	s, ok := a.Value.(ast.String)
	if !ok {
		return "", "", false
	}
	t, ok := b.Value.(ast.String)
	return string(s), string(t), ok
}
