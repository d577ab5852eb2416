package pdp

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/panics"
)

// What rules cost is told by evaluating some requests once more, after they were decided,
// while somebody asks for it. Nothing of it is on the way of a decision otherwise but one
// look at whether somebody does.
const (
	// profileFor is how long requests are profiled after somebody has asked for a profile.
	profileFor = 10 * time.Second
	// profileRest is how many times as long as profiling takes nothing is profiled after
	// it, so that it has at most one part in fifty of one processor; and profileLeast is
	// how long at least.
	profileRest  = 50
	profileLeast = 2 * time.Millisecond
	// profileMost is how many times as long as deciding, and profileLeast besides,
	// profiling may take.
	profileMost = 4
)

// A sampler tells which requests are profiled. It is safe for use by many goroutines.
type sampler struct {
	start time.Time
	// until is when profiling ends, and next when a request is profiled next: since start,
	// in nanoseconds. An until of 0 is nobody asking.
	until, next atomic.Int64
}

func newSampler() *sampler { return &sampler{start: time.Now()} }

// ask has requests profiled for some time.
func (s *sampler) ask() { s.until.Store(int64(time.Since(s.start) + profileFor)) }

// take reports whether a request is to be profiled. Whoever is told so calls rest behind it.
func (s *sampler) take() bool {
	until := s.until.Load()
	if until == 0 {
		return false
	}
	now := int64(time.Since(s.start))
	if now > until {
		s.until.CompareAndSwap(until, 0)
		return false
	}
	next := s.next.Load()
	return now >= next && s.next.CompareAndSwap(next, math.MaxInt64)
}

// rest keeps others from being profiled for as long as profiling one was worth.
func (s *sampler) rest(took time.Duration) {
	s.next.Store(int64(time.Since(s.start) + max(profileLeast, profileRest*took)))
}

// Profile is what the rules of a tenant's policy cost in the requests that were profiled
// since it became active, and has them profiled for the next ten seconds. It is empty where
// the evaluator cannot tell. Its errors are those of Options.Policy. It may take as long as
// it took to prepare the policy.
func (p *PDP) Profile(tenant string) (eval.Profile, error) {
	policy, err := p.policy(tenant)
	if err != nil {
		return eval.Profile{}, err
	}
	profiler, is := policy.Program.(eval.Profiler)
	if !is {
		return eval.Profile{}, nil
	}
	profiler.PrepareProfiling()
	p.sampler.ask()
	return profiler.Costs(), nil
}

// profile evaluates a request once more whose deciding took some time, for what the rules
// cost, within the limits of a decision. Who waits for the answer has the time to.
func (p *PDP) profile(ctx context.Context, on *pin, request *authz.Request, took time.Duration) {
	start := time.Now()
	defer func() { p.sampler.rest(time.Since(start)) }()
	profiler, is := on.policy.Program.(eval.Profiler)
	within := min(p.limits.Evaluation, profileLeast+profileMost*took)
	if deadline, ends := ctx.Deadline(); !is || ends && deadline.Sub(start) < 2*within {
		return
	}
	var err error
	defer func() {
		if err != nil {
			p.logger.Error("a policy cannot be profiled", panics.Fields(err)...)
		}
	}()
	defer panics.Catch("profiling", &err)
	budget := newBudget(ctx, start, within)
	defer budget.release()
	reader := p.cache.Reader(on.snapshot, p.limits.Entities)
	profiler.Profile(budget, p.input(on, request, reader))
	reader.Release() // after a panic it is in any state
}
