package residual_test

import (
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval/residual"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// BenchmarkOf is what it costs to see what is left of a decision, or of allow alone, and
// to make it.
func BenchmarkOf(b *testing.B) {
	w := newWorld(b, shipped(b, "workforce"), "workforce", piptest.Lines(b, read(b, "workforce/directory.jsonl"))...)
	request := authz.Request{
		Tenant: "workforce", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "patient_record", ID: "p-102"},
	}
	for _, unknown := range []residual.Unknown{residual.Resource, residual.Subject} {
		b.Run(string(unknown), func(b *testing.B) {
			for b.Loop() {
				if _, err := residual.Of(b.Context(), w.policy, w.input(request), unknown); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(unknown)+" of allow", func(b *testing.B) {
			for b.Loop() {
				if _, err := residual.OfAllow(b.Context(), w.policy, w.input(request), unknown); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("decision", func(b *testing.B) {
		for b.Loop() {
			if allows, _ := w.allows(b, request); !allows {
				b.Fatal("denied")
			}
		}
	})
}
