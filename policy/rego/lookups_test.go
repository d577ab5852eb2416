package rego_test

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/rego"
)

// Compiling a policy with its look-ups as calls leaves the terms alone that the whole
// process shares: under the race detector, this fails where it writes to one.
func TestLookupsLeaveSharedTermsAlone(t *testing.T) {
	policy := compile(t, files{"authz.rego": `package authz

import rego.v2

default allow := false

allow if data.directory.user[input.subject.id].attributes.level == 1

open := object.get(data.directory.user[input.subject.id].attributes, "open", false)

levels := [1, true, null, {}, [], set(), {"a": false}]

sentence := $"{input.subject.id} is {1 > 0}"

_times(x) := x * 2
`}, rego.Options{})
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			for _, term := range []*ast.Term{ast.InternedTerm(true), ast.InternedTerm(false), ast.InternedTerm(0), ast.InternedTerm(1), ast.InternedTerm(2), ast.InternedNullTerm, ast.InternedEmptyObject, ast.InternedEmptyArray, ast.InternedEmptySet} {
				if term.Value == nil {
					t.Error("a shared term has no value")
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	looking, err := policy.Lookups()
	close(done)
	<-ended
	if err != nil {
		t.Fatal(err)
	}
	if !looking.Has(rego.Allow) {
		t.Error("the rule allow is gone")
	}
}
