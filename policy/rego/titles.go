package rego

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/bundle"
)

// A place is where a rule begins.
type place struct {
	file string
	row  int
	col  int
}

func placeOf(l *ast.Location) place {
	if l == nil {
		return place{}
	}
	return place{l.File, l.Row, l.Col}
}

// titles are the titles of all rules that have one: their own or, failing that,
// the one of their document (scope: document).
func titles(compiler *ast.Compiler) map[place]string {
	found := make(map[place]string)
	annotations := compiler.GetAnnotationSet()
	for _, module := range compiler.Modules {
		for _, rule := range module.Rules {
			if title := titleOf(annotations, rule); title != "" {
				found[placeOf(rule.Location)] = title
			}
		}
	}
	return found
}

func titleOf(annotations *ast.AnnotationSet, rule *ast.Rule) string {
	for _, a := range annotations.GetRuleScope(rule) {
		if a.Title != "" {
			return a.Title
		}
	}
	if a := annotations.GetDocumentScope(rule.Ref().GroundPrefix()); a != nil {
		return a.Title
	}
	return ""
}

// Title is the title of a rule's metadata annotation, or empty. The rule may be
// one that the compiler has rewritten: it is known by where it stands.
func (p *Policy) Title(rule *ast.Rule) string { return p.titles[placeOf(rule.Location)] }

// Location is a place in the policy as file:line.
func Location(l *ast.Location) string { return bundle.Location(l) }
