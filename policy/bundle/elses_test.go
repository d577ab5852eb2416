package bundle_test

import (
	"bytes"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/bundle"
)

// All parts of all bodies have the places where they stand.
func TestPartsHavePlaces(t *testing.T) {
	raw := []byte(`package authz

import rego.v2

import data.other as o

allow if {
	input.x
} else if input.action.name == input.resource.type
else := true if
	input.subject.id in
		[input.action.name, o.z]
else := "ü, what if no" == "a" if not o[input.subject.id] else := false if some x in input.xs

level(n) := 1 if {
	n == 1
} else := 2 if {
	m := n + 1
	m == 7
} else := 3 if n > 5
`)
	b, err := bundle.ReadFS(fstest.MapFS{"a.rego": {Data: raw}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	bodies := 0
	for _, rule := range b.Modules[0].Parsed.Rules {
		for ; rule != nil; rule = rule.Else {
			bodies++
			ast.WalkTerms(rule.Body, func(term *ast.Term) bool {
				l := term.Location
				if len(term.Location.Text) == 0 { // what stands for an operator
					return false
				}
				if end := l.Offset + len(l.Text); end > len(raw) || !bytes.Equal(raw[l.Offset:end], l.Text) {
					t.Errorf("%s: %v is said to stand at byte %d as %q", rule.Location, term, l.Offset, l.Text)
					return false
				}
				before := raw[:l.Offset]
				row := 1 + bytes.Count(before, []byte("\n"))
				column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
				if l.File != "a.rego" || l.Row != row || l.Col != column {
					t.Errorf("%v is said to stand at %s:%d:%d, and stands at a.rego:%d:%d", term, l.File, l.Row, l.Col, row, column)
				}
				if bytes.HasPrefix(l.Text, []byte("else")) {
					t.Errorf("%v has the place of its else", term)
				}
				return false
			})
		}
	}
	if bodies != 8 {
		t.Errorf("there are %d bodies, want 8", bodies)
	}
}
