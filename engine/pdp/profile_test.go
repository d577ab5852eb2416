package pdp_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A profiled program counts how often it is profiled.
type profiled struct {
	program
	profile            func(context.Context)
	prepared, profiles int
}

func (p *profiled) PrepareProfiling() { p.prepared++ }

func (p *profiled) Profile(ctx context.Context, _ eval.Input) {
	p.profiles++
	if p.profile != nil {
		p.profile(ctx)
	}
}

func (p *profiled) Costs() eval.Profile { return eval.Profile{Evaluations: uint64(p.profiles)} }

func ask(t *testing.T, p *pdp.PDP) eval.Profile {
	t.Helper()
	profile, err := p.Profile("t")
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

func TestRequestsAreProfiledWhileSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		program := &profiled{program: yields(eval.Output{Allow: true})}
		p, _ := newPDPOf(program, pdp.Limits{})
		decide := func(after time.Duration) {
			time.Sleep(after)
			decideOne(t.Context(), p)
		}
		expect := func(what string, profiles int) {
			t.Helper()
			if program.profiles != profiles {
				t.Errorf("%s, %d are profiled, want %d", what, program.profiles, profiles)
			}
		}
		decide(time.Second)
		expect("before anybody asks", 0)
		if profile := ask(t, p); profile.Evaluations != 0 || program.prepared != 1 {
			t.Errorf("the first profile is %+v, prepared %d times", profile, program.prepared)
		}
		decide(0)
		expect("of one request", 1)
		decide(0)
		expect("of two at once", 1)
		decide(2 * time.Millisecond)
		expect("of one after a rest", 2)

		program.profile = func(context.Context) { time.Sleep(time.Second) }
		decide(2 * time.Millisecond)
		expect("of one that takes long", 3)
		if profile := ask(t, p); profile.Evaluations != 3 {
			t.Errorf("the profile is %+v", profile)
		}
		decide(8 * time.Second)
		expect("within fifty times as long", 3)
		program.profile = nil
		for range 6 {
			ask(t, p)
			time.Sleep(9 * time.Second)
		}
		decide(0)
		expect("after that", 4)
		ask(t, p)
		decide(10 * time.Second)
		expect("ten seconds after somebody asked", 5)
		decide(time.Millisecond)
		decide(time.Minute)
		expect("later", 5)
	})
}

// TestProfilingKeepsNobodyWaiting has a policy whose profile would take for ever.
func TestProfilingKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		deciding := 10 * time.Millisecond
		program := &profiled{
			program: func(context.Context, eval.Input) (eval.Output, error) {
				time.Sleep(deciding)
				return eval.Output{Allow: true}, nil
			},
			profile: func(ctx context.Context) { <-ctx.Done() },
		}
		p, _ := newPDPOf(program, pdp.Limits{})
		ask(t, p)
		start := time.Now()
		decideOne(t.Context(), p)
		if took := time.Since(start); program.profiles != 1 || took != deciding+4*deciding+2*time.Millisecond {
			t.Errorf("%d profiles, %v", program.profiles, took)
		}
		time.Sleep(5 * time.Second)
		ask(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if decision, err := p.Decide(ctx, newRequest(), pdp.DecideOptions{}); err != nil || !decision.Allowed || program.profiles != 1 {
			t.Errorf("with a deadline nearby: %+v, %v, %d profiles", decision, err, program.profiles)
		}
	})
}

func TestAPanicOfAProfileIsNoneOfADecision(t *testing.T) {
	program := &profiled{program: yields(eval.Output{Allow: true}), profile: func(context.Context) { panic("boom") }}
	p, w := newPDPOf(program, pdp.Limits{})
	ask(t, p)
	decision, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{})
	if err != nil || !decision.Allowed || decision.Err != nil || w.logged.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
		t.Errorf("decision %+v, %v; logged %v", decision, err, w.logged.All())
	}
}

func TestProfileOfWhatHasNone(t *testing.T) {
	p, _ := newPDP(yields(eval.Output{Allow: true}), pdp.Limits{})
	if profile := ask(t, p); profile.Evaluations != 0 {
		t.Errorf("the profile of another evaluator's policy: %+v", profile)
	}
	if decision, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{}); err != nil || !decision.Allowed {
		t.Errorf("%+v, %v", decision, err)
	}
	if _, err := p.Profile("nobody"); err == nil {
		t.Error("an unknown tenant has a profile")
	}
}
