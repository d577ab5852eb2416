package rego

import (
	"bytes"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// OPA goes by what the head of a rule writes out: r[k] := 1 is a rule for any key,
// and r.a := x one of any value, even if the body says that k is "a" and x is 1. A
// plan has no heads, and in both the key or value ends up as the same constant. So
// the place of a head with variables says where they are: behind its text stands a
// byte for each key below the rule's name, and one for the value.
const (
	headMark = "\x00head:"
	variable = 'v'
	ground   = 'c'
)

// told is a rule whose head has a place that says where its variables are, with its
// elses. What has none is shared.
func told(rule *ast.Rule) *ast.Rule {
	if rule == nil {
		return nil
	}
	otherwise, parts := told(rule.Else), partsOf(rule.Head)
	if otherwise == rule.Else && !bytes.ContainsRune(parts, variable) {
		return rule
	}
	copied, head := *rule, *rule.Head
	copied.Head, copied.Else = &head, otherwise
	head.Location = noted(head.Loc(), headMark+string(parts))
	return &copied
}

// partsOf are the bytes for the parts of a head.
func partsOf(head *ast.Head) []byte {
	terms := slices.Clone(head.Ref()[1:])
	if head.Value == nil {
		terms = append(terms, head.Key, nil)
	} else {
		terms = append(terms, head.Value)
	}
	var parts []byte
	for _, term := range terms {
		if term == nil || term.IsGround() {
			parts = append(parts, ground)
		} else {
			parts = append(parts, variable)
		}
	}
	return parts
}

// noted is a place with something noted behind its text.
func noted(at *ast.Location, note string) *ast.Location {
	if at == nil {
		return nil
	}
	with := *at
	with.Text = slices.Concat(at.Text, []byte(note))
	return &with
}

// VariableValue reports whether the place of a statement of a plan says that it is
// of a head with variables in its value.
func VariableValue(at *ast.Location) bool { return isVariable(at, 1) }

// VariableKey reports whether the place of a statement of a plan says that it is of
// a head with variables in a key, so many before the last. A member of a set is its
// last key.
func VariableKey(at *ast.Location, before int) bool { return isVariable(at, before+2) }

// isVariable reports whether a part has variables, so many from the end.
func isVariable(at *ast.Location, fromEnd int) bool {
	if at == nil {
		return false
	}
	_, parts, isNoted := bytes.Cut(at.Text, []byte(headMark))
	return isNoted && fromEnd <= len(parts) && parts[len(parts)-fromEnd] == variable
}
