package closure

import (
	"testing"

	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
)

// Decisions are explained as the reference explains them.
func TestExplanationsOfGeneratedPolicies(t *testing.T) {
	t.Logf("%d explanations", evaltest.CheckExplanations(t, topdown.New(), New(), *firstSeed, max(1, *seeds/3)))
}

func TestExplanationsOfShippedBundles(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	evaltest.CheckShippedExplanations(t, topdown.New(), New(), bundles.FS)
}

// benchmarked is a policy of rules of which one holds, and what it is asked.
var benchmarked = evaltest.Case{
	Rego: `
allow if {
	input.action.name == "read"
	user := data.directory.user[input.subject.id]
	some role in user.attributes.roles
	permits(role)
}

allow if {
	input.action.name == "write"
	data.directory.user[input.subject.id].attributes.clearance > 3
}

permits(role) if role in {"nurse", "doctor"}

deny contains "locked" if data.directory.user[input.subject.id].attributes.locked == true
`,
	Directory: `{"entity": {"type": "user", "id": "mina", "attributes": {"clearance": 2, "roles": ["staff", "nurse"]}}}`,
}

// BenchmarkEval is a bare decision of a program that has never explained one,
// and of one that has: explaining leaves no trace in what decides.
func BenchmarkEval(b *testing.B) {
	for _, explained := range []bool{false, true} {
		name := "never explained"
		if explained {
			name = "explained before"
		}
		b.Run(name, func(b *testing.B) {
			program, in := benchmarked.Prepare(b, New()), benchmarked.Input(b)
			if explained {
				in.Explain = true
				allow(b, program, in)
				in.Explain = false
			}
			b.ReportAllocs()
			for b.Loop() {
				allow(b, program, in)
			}
		})
	}
}

// BenchmarkExplain is an explained decision.
func BenchmarkExplain(b *testing.B) {
	program, in := benchmarked.Prepare(b, New()), benchmarked.Input(b)
	in.Explain = true
	b.ReportAllocs()
	for b.Loop() {
		allow(b, program, in)
	}
}

func allow(b *testing.B, program eval.Program, in eval.Input) {
	if out, err := program.Eval(b.Context(), in); err != nil || !out.Allow {
		b.Fatalf("allow is %v, error %v", out.Allow, err)
	}
}
