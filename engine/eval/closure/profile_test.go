package closure

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Clocks change no answer of OPA's cases, and what can be planned can be profiled.
func TestWhatCanBePlannedCanBeProfiled(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	evaltest.RunOPACases(t, New().Name(), func(ctx context.Context, q evaltest.Query) ([]map[string]ast.Value, error) {
		body, err := q.Body()
		if err != nil {
			return nil, err
		}
		plan, err := rego.Plan(ctx, q.Compiler, body)
		if err != nil {
			return nil, err
		}
		f, err := newProfiled(source{plan: plan, static: ast.NewTerm(q.Data)})
		if err != nil {
			return nil, err
		}
		m := f.executable.machine(&run{ctx: ctx, input: q.Input, data: ast.NewTerm(q.Data), now: time.Now(), steps: math.MaxInt64, lenient: !q.Strict})
		defer f.executable.release(m)
		err = f.run(m)
		answers, malformed := answersOf(m)
		return answers, errors.Join(err, malformed)
	})
}

func TestProfileTellsRulesApart(t *testing.T) {
	c := evaltest.Case{
		Rego: `
allow if {
	some role in data.directory.user[input.subject.id].attributes.roles
	permits(role)
}

permits(role) if {
	role in dear
	role == input.action.name
}

dear contains name if {
	some i in numbers.range(1, 300)
	name := sprintf("%d%s", [i, input.action.name])
}

dear contains input.action.name

deny contains "never" if input.action.name == "nothing"

unused if true
`,
		Directory: `{"entity": {"type": "user", "id": "mina", "attributes": {"roles": ["staff", "nurse", "read"]}}}`,
	}
	program, in := c.Prepare(t, New()), c.Input(t)
	profiler := program.(eval.Profiler)
	profiler.Profile(t.Context(), in)
	if costs := profiler.Costs(); costs.Evaluations != 0 {
		t.Fatalf("before it was prepared: %+v", costs)
	}
	profiler.PrepareProfiling()
	const runs = 3
	for range runs {
		profiler.Profile(t.Context(), in)
	}
	costs := profiler.Costs()
	calls, previous := make(map[string]uint64), time.Duration(math.MaxInt64)
	for _, rule := range costs.Rules {
		calls[rule.Rule] = rule.Calls
		if rule.Time > previous || rule.Time <= 0 {
			t.Errorf("%s took %v, behind one that took %v", rule.Rule, rule.Time, previous)
		}
		previous = rule.Time
	}
	if diff := cmp.Diff(map[string]uint64{"data.authz.allow": runs, "data.authz.deny": runs, "data.authz.permits": 3 * runs, "data.authz.dear": runs}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if costs.Evaluations != runs || costs.Rules[0].Rule != "data.authz.dear" {
		t.Errorf("%+v", costs)
	}
	if out, err := program.Eval(t.Context(), in); err != nil || !out.Allow {
		t.Errorf("after it was profiled it decides %+v, %v", out, err)
	}
}

// TestProfileOfWhatDoesNotEnd has a rule that takes more steps than it may.
func TestProfileOfWhatDoesNotEnd(t *testing.T) {
	c := evaltest.Case{Rego: "allow if count(numbers.range(1, 1000000)) > count(input.subject.id)"}
	program, in := c.Prepare(t, New()), c.Input(t)
	in.Steps = 1000
	profiler := program.(eval.Profiler)
	profiler.PrepareProfiling()
	profiler.Profile(t.Context(), in)
	if costs := profiler.Costs(); costs.Evaluations != 1 || len(costs.Rules) != 1 || costs.Rules[0].Rule != "data.authz.allow" {
		t.Errorf("%+v", costs)
	}
}
