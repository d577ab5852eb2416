package native

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

var affixPredicates = map[string]Predicate{
	ast.Contains.Name:       contains,
	ast.StartsWith.Name:     startsWith,
	ast.EndsWith.Name:       endsWith,
	ast.AnyPrefixMatch.Name: anyPrefixMatch,
	ast.AnySuffixMatch.Name: anySuffixMatch,
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

func anyPrefixMatch(a, affixes *ast.Term) (bool, error) {
	return anyMatch(ast.AnyPrefixMatch.Name, a, affixes, strings.HasPrefix)
}

func anySuffixMatch(a, affixes *ast.Term) (bool, error) {
	return anyMatch(ast.AnySuffixMatch.Name, a, affixes, strings.HasSuffix)
}

// anyMatch tells whether one string begins or ends with any of several. That
// one of them is no string is an error even if another matches.
func anyMatch(name string, a, affixes *ast.Term, match func(s, affix string) bool) (bool, error) {
	text, ok := a.Value.(ast.String)
	if !ok {
		return referencePredicate(name, a, affixes)
	}
	if affix, ok := affixes.Value.(ast.String); ok {
		return match(string(text), string(affix)), nil
	}
	of, ok := elementsOf(affixes.Value)
	if !ok {
		return referencePredicate(name, a, affixes)
	}
	matches := false
	for i := range of.len() {
		affix, ok := of.at(i).Value.(ast.String)
		if !ok {
			return referencePredicate(name, a, affixes)
		}
		matches = matches || match(string(text), string(affix))
	}
	return matches, nil
}
