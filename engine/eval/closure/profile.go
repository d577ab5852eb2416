package closure

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/panics"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A profiler runs a policy to tell what its rules cost: from code in which each rule is a
// function still, with a clock at its beginning and its end. Its code is otherwise that
// which decides, but for variants; and it takes no part in deciding.
type profiler struct {
	executable *executable
	rules      []string // by their number; the first is the query

	mu    sync.Mutex
	runs  uint64
	costs []cost // by rule
}

type cost struct {
	calls uint64
	time  time.Duration
}

// newProfiler compiles the policy of a program once more.
func newProfiler(policy *rego.Policy, static *ast.Term) (_ *profiler, err error) {
	defer panics.Catch("profiler", &err)
	query, err := policy.Query()
	if err != nil {
		return nil, err
	}
	plan, err := rego.Plan(context.Background(), policy.Compiler(), query)
	if err != nil {
		return nil, err
	}
	return newProfiled(source{plan: plan, static: static, adapt: func(t *tree) error {
		_, err := yieldsOf(t, rego.Rules[:])
		return err
	}})
}

// newProfiled compiles a plan, without making functions one.
func newProfiled(s source) (*profiler, error) {
	s.off |= callsPass
	t, err := s.tree()
	if err != nil {
		return nil, err
	}
	f := &profiler{rules: []string{""}}
	f.executable, err = s.encodeProfiled(t, f.numbers(t))
	if err != nil {
		return nil, err
	}
	f.executable.patterns, f.costs = newPatterns(), make([]cost, len(f.rules))
	return f, nil
}

// numbers gives each rule a number, which all functions have that were made of it.
func (f *profiler) numbers(t *tree) map[*function]int {
	byName, numbers := make(map[string]int), make(map[*function]int)
	for _, function := range t.functions {
		rule := function
		for rule.rests != nil {
			rule = rule.rests
		}
		name := ruleName(rule)
		if byName[name] == 0 {
			byName[name] = len(f.rules)
			f.rules = append(f.rules, name)
		}
		numbers[function] = byName[name]
	}
	return numbers
}

// PrepareProfiling makes the profiler. Where that fails, nothing is told: see
// TestWhatCanBePlannedCanBeProfiled.
func (p *program) PrepareProfiling() {
	if f, err := p.profiled(); err == nil {
		p.profiler.Store(f)
	}
}

// Profile runs the profiler.
func (p *program) Profile(ctx context.Context, in eval.Input) {
	f := p.profiler.Load()
	if f == nil || in.Validate() != nil {
		return
	}
	m := f.executable.machine(newRun(ctx, &in, p.static))
	defer f.executable.release(m)
	_ = f.run(m)
}

// run runs the profiler on a machine of its executable.
func (f *profiler) run(m *machine) error {
	m.meter = &meter{start: time.Now(), costs: make([]cost, len(f.rules))}
	err := f.executable.run(m)
	m.meter.charge()
	f.add(m.meter.costs)
	return err
}

func (f *profiler) add(costs []cost) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.runs++
	for i, c := range costs {
		f.costs[i].calls += c.calls
		f.costs[i].time += c.time
	}
}

// Costs are what the profiler has counted.
func (p *program) Costs() eval.Profile {
	f := p.profiler.Load()
	if f == nil {
		return eval.Profile{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	profile := eval.Profile{Evaluations: f.runs}
	for i, c := range f.costs {
		if i > 0 && c.calls > 0 {
			profile.Rules = append(profile.Rules, eval.RuleCost{Rule: f.rules[i], Calls: c.calls, Time: c.time})
		}
	}
	slices.SortFunc(profile.Rules, func(a, b eval.RuleCost) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), strings.Compare(a.Rule, b.Rule))
	})
	return profile
}

// A meter tells the time of one evaluation apart by rule.
type meter struct {
	start  time.Time
	last   time.Duration // when it was charged last, from the start
	inside int           // the rule that is evaluated
	costs  []cost
}

// charge charges the time since the last charge to the rule that is evaluated.
func (t *meter) charge() {
	now := time.Since(t.start)
	t.costs[t.inside].time += now - t.last
	t.last = now
}

// metered is the code of a function whose time is told apart as that of a rule.
func metered(rule int, run value) value {
	return func(m *machine) *ast.Term {
		m.meter.charge()
		outer := m.meter.inside
		m.meter.inside = rule
		m.meter.costs[rule].calls++
		term := run(m)
		m.meter.charge()
		m.meter.inside = outer
		return term
	}
}
