package rego

import (
	"bytes"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// OPA goes by what the head of a rule writes out: r[k] := 1 is a rule for any key,
// and r.a := x one of any value, even if the body says that k is "a" and x is 1. A
// plan has no heads, and in both the key or value ends up as the same constant. So
// the place of a head with variables says so, behind its text.
const (
	ofVariables   = "\x00variable:"
	variableKey   = 'k'
	variableYield = 'v'
)

// told is a rule whose head has a place that says where its variables are, with its
// elses. What has none is shared.
func told(rule *ast.Rule) *ast.Rule {
	if rule == nil {
		return nil
	}
	otherwise, variable := told(rule.Else), variablesOf(rule.Head)
	if otherwise == rule.Else && len(variable) == 0 {
		return rule
	}
	copied, head := *rule, *rule.Head
	copied.Head, copied.Else = &head, otherwise
	head.Location = noted(head.Loc(), ofVariables+string(variable))
	return &copied
}

// variablesOf says which parts of a head have variables.
func variablesOf(head *ast.Head) (parts []byte) {
	keys := head.Ref()[1:]
	if head.Value == nil { // it has members, which are asked for like keys
		keys = append(slices.Clone(keys), head.Key)
	}
	if slices.ContainsFunc(keys, func(key *ast.Term) bool { return !key.IsGround() }) {
		parts = append(parts, variableKey)
	}
	if head.Value != nil && !head.Value.IsGround() {
		parts = append(parts, variableYield)
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
func VariableValue(at *ast.Location) bool { return isVariable(at, variableYield) }

// VariableKey reports whether the place of a statement of a plan says that it is of
// a head with variables in a key or in the member of a set.
func VariableKey(at *ast.Location) bool { return isVariable(at, variableKey) }

func isVariable(at *ast.Location, part byte) bool {
	if at == nil {
		return false
	}
	_, parts, isNoted := bytes.Cut(at.Text, []byte(ofVariables))
	return isNoted && bytes.IndexByte(parts, part) >= 0
}
