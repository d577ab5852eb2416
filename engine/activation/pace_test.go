package activation_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
	"github.com/verdictpdp/verdict/policy/suite"
)

// slow takes its time to prepare a policy.
type slow struct{ fake }

const preparing = 10 * time.Millisecond

func (s slow) Prepare(ctx context.Context, policy *rego.Policy) (eval.Program, error) {
	time.Sleep(preparing)
	return s.fake.Prepare(ctx, policy)
}

// TestAReplacementRests makes a bundle active while decisions are made all the time: the
// first one at once, since nobody can be answered before, and the next one with rests.
func TestAReplacementRests(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		set, _ := newSetWith(dir, func(o *activation.Options) {
			o.Evaluators = []eval.Evaluator{slow{}}
			start := time.Now()
			o.Pace = background.New(func() bool { return true }, func() time.Duration {
				return time.Duration(runtime.GOMAXPROCS(0)) * time.Since(start)
			}, nil)
		})
		for _, c := range []struct {
			revision string
			rests    bool
		}{{"r1", false}, {"r2", true}} {
			write(t, dir, sound(c.revision))
			before := time.Now()
			activate(t, set)
			if rested := time.Since(before) - preparing; (rested > preparing) != c.rests {
				t.Errorf("the activation of %s rested for %v, want that it rests: %v", c.revision, rested, c.rests)
			}
		}
	})
}

// TestTestsRestForHalfOfTheirTime runs the tests of a bundle that replaces another while
// decisions are made all the time: what rests takes from their time is bounded.
func TestTestsRestForHalfOfTheirTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var rested []time.Duration
		set, _ := newSetWith(dir, func(o *activation.Options) {
			start := time.Now()
			o.Pace = background.New(func() bool { return true }, func() time.Duration {
				return time.Duration(runtime.GOMAXPROCS(0)) * time.Since(start)
			}, nil)
			o.Tenants[0].Tests = func(_ context.Context, _ *bundle.Bundle, rest func()) (suite.Report, error) {
				rested = nil
				for range 20 {
					time.Sleep(time.Second)
					before := time.Now()
					rest()
					rested = append(rested, time.Since(before))
				}
				return suite.Report{}, nil
			}
		})
		for _, c := range []struct {
			revision    string
			early, late bool
		}{{"r1", false, false}, {"r2", true, false}} {
			write(t, dir, sound(c.revision))
			write(t, dir, map[string]string{"authz_test.rego": holds})
			activate(t, set)
			if early, late := rested[1] > 0, rested[19] > 0; early != c.early || late != c.late {
				t.Errorf("that the tests of %s rest is %v at first and %v later, want %v and %v", c.revision, early, late, c.early, c.late)
			}
		}
	})
}
