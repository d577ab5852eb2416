package activation

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/panics"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
	"github.com/verdictpdp/verdict/policy/suite"
)

// A Source loads a tenant's bundle, with the library that belongs to it. It calls rest often,
// for others to have their turn.
type Source func(rest func()) (*bundle.Bundle, error)

// A Tenant says where a tenant's policy comes from.
type Tenant struct {
	// Name is the tenant's, unique in a Set.
	Name string
	// Load reads the bundle anew at each activation.
	Load Source
	// Path is the directory or the file that Watch looks at; empty for a
	// bundle that cannot change.
	Path string
	// Package and Builtins are those of rego.Options.
	Package  string
	Builtins []string
	// Tests runs the bundle's own tests, all of which must hold before it becomes
	// active. It calls rest often, for others to have their turn. Nil runs none.
	Tests func(ctx context.Context, b *bundle.Bundle, rest func()) (suite.Report, error)
}

// An Active is a program that decides, and where it comes from.
type Active struct {
	Program eval.Program
	// Policy is what the program was made of.
	Policy *rego.Policy
	// Actions is the rule actions of the package that holds the decision; nil where
	// that has none.
	Actions eval.Rule
	// Rules are those of Options.Rules that the policy has, by their names.
	Rules       map[string]eval.Rule
	BundleName  string
	Revision    string
	Digest      string // of the bundle and its tests
	Evaluator   string
	ActivatedAt time.Time
	// FallbackReason is why Evaluator is not the first of Options.Evaluators; nil
	// where it is.
	FallbackReason error
}

// A Status is what a tenant's activations have come to.
type Status struct {
	Tenant string
	// Bundle, Revision, Evaluator and ActivatedAt describe the active program;
	// they are zero while there is none.
	Bundle      string
	Revision    string
	Evaluator   string
	ActivatedAt time.Time
	// FallbackReason is why the active program does not run on the first of
	// Options.Evaluators; empty where it does.
	FallbackReason string
	// LastError is why the latest activation failed, and LastErrorAt when; zero
	// when it succeeded.
	LastError   string
	LastErrorAt time.Time
}

// Options are what a Set is made of.
type Options struct {
	Tenants []Tenant
	// Evaluators are tried in this order: a policy runs on the first one that can
	// prepare it. There is at least one.
	Evaluators []eval.Evaluator
	// Rules are the names of further rules that are made ready with a policy that
	// has them, such as "data.verdict.http.request".
	Rules []string
	// Faults are the names of rules that say what is wrong with a policy, each a set
	// of texts, such as "data.verdict.routes.faults". A policy in which one of them has
	// a member does not become active.
	Faults []string
	// Logger is told of every activation that swapped a program, with a warning
	// where it does not run on the first evaluator, and of every failure that is
	// another than the one before.
	Logger *zap.Logger
	Clock  func() time.Time
	// Observer is told how each activation ended; nil for nobody.
	Observer func(tenant string, result Result, took time.Duration)
	// Pace is kept to while a policy is made ready, by which others decide meanwhile. A
	// tenant that has none yet is not kept waiting. Nil never rests.
	Pace *background.Pace
	// Record keeps what became of a tenant's policy: that another became active, or
	// that one was refused for another reason than the one before. Nil keeps nothing.
	Record func(ctx context.Context, tenant string, change authz.PolicyChange) error
}

// A Result is how an activation ended.
type Result uint8

const (
	// Activated is a program swapped.
	Activated Result = iota
	// Unchanged is a bundle that is the active one already.
	Unchanged
	// Failed leaves what was active before, for the reason that Status tells.
	Failed
)

// A Set holds the active programs of all tenants. It is safe for use by many
// goroutines at once; reading the active program takes no lock.
type Set struct {
	evaluators []eval.Evaluator
	rules      []string
	faults     []string
	logger     *zap.Logger
	clock      func() time.Time
	observer   func(tenant string, result Result, took time.Duration)
	recorder   func(ctx context.Context, tenant string, change authz.PolicyChange) error
	pace       *background.Pace
	slots      map[string]*slot
	watchPath  func(path string) (*changes, error)
}

// A slot is one tenant's place in a Set.
type slot struct {
	Tenant
	active  atomic.Pointer[Active]
	failure atomic.Pointer[failure]

	activating sync.Mutex // held through an activation
}

type failure struct {
	err error
	at  time.Time
}

// New makes a Set in which nothing is active yet.
func New(opts Options) *Set {
	s := &Set{
		evaluators: opts.Evaluators,
		rules:      opts.Rules,
		faults:     opts.Faults,
		logger:     opts.Logger,
		clock:      opts.Clock,
		observer:   opts.Observer,
		recorder:   opts.Record,
		pace:       opts.Pace,
		slots:      make(map[string]*slot, len(opts.Tenants)),
		watchPath:  watchPath,
	}
	for _, t := range opts.Tenants {
		s.slots[t.Name] = &slot{Tenant: t}
	}
	return s
}

// Active is the program that decides for a tenant. The error is of kind
// NotFound for a tenant that is not configured, and Unavailable while none of
// the tenant's programs has become active.
func (s *Set) Active(tenant string) (*Active, error) {
	slot, err := s.slot(tenant)
	if err != nil {
		return nil, err
	}
	if active := slot.active.Load(); active != nil {
		return active, nil
	}
	return nil, authz.Errorf(authz.Unavailable, "tenant %s has no active policy: /readyz and PolicyService.GetStatus say why", authz.Quote(tenant))
}

// Activate loads a tenant's bundle and makes it active. It does nothing where
// the bundle is the active one already. The error is the one that Status and
// the log report; the program before stays active.
func (s *Set) Activate(ctx context.Context, tenant string) error {
	slot, err := s.slot(tenant)
	if err != nil {
		return err
	}
	return s.activate(ctx, slot)
}

// Status is the status of every tenant, in the order of their names.
func (s *Set) Status() []Status {
	all := make([]Status, 0, len(s.slots))
	for name, slot := range s.slots {
		status := Status{Tenant: name}
		if active := slot.active.Load(); active != nil {
			status.Bundle, status.Revision = active.BundleName, active.Revision
			status.Evaluator, status.ActivatedAt = active.Evaluator, active.ActivatedAt
			if active.FallbackReason != nil {
				status.FallbackReason = active.FallbackReason.Error()
			}
		}
		if failure := slot.failure.Load(); failure != nil {
			status.LastError, status.LastErrorAt = failure.err.Error(), failure.at
		}
		all = append(all, status)
	}
	slices.SortFunc(all, func(a, b Status) int { return strings.Compare(a.Tenant, b.Tenant) })
	return all
}

func (s *Set) slot(tenant string) (*slot, error) {
	if slot, ok := s.slots[tenant]; ok {
		return slot, nil
	}
	// Which there are is for those to know who may see the status.
	return nil, authz.Errorf(authz.NotFound, "unknown tenant %s: see tenants in the server's configuration", authz.Quote(tenant))
}

func (s *Set) activate(ctx context.Context, slot *slot) error {
	slot.activating.Lock()
	defer slot.activating.Unlock()
	start := s.clock()
	tried := authz.PolicyChange{Path: slot.Path, Before: slot.revision()}
	next, err := s.prepare(ctx, slot, &tried)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		if s.fail(slot, err) {
			tried.Refused = err.Error()
			s.record(ctx, slot, tried)
		}
		s.told(slot, Failed, start)
		return err
	}
	slot.failure.Store(nil)
	if next == nil {
		s.told(slot, Unchanged, start)
		return nil
	}
	slot.active.Store(next)
	s.record(ctx, slot, tried)
	s.told(slot, Activated, start)
	s.logger.Info("policy activated", zap.String("tenant", slot.Name),
		zap.String("bundle", next.BundleName), zap.String("revision", next.Revision),
		zap.String("evaluator", next.Evaluator), zap.Duration("took", next.ActivatedAt.Sub(start)))
	if next.FallbackReason != nil {
		s.logger.Warn("policy does not run on the first evaluator", append(panics.Fields(next.FallbackReason),
			zap.String("tenant", slot.Name), zap.String("evaluator", next.Evaluator))...)
	}
	return nil
}

// told tells of an activation that has ended.
func (s *Set) told(slot *slot, result Result, start time.Time) {
	if s.observer != nil {
		s.observer(slot.Name, result, s.clock().Sub(start))
	}
}

// record has it recorded what became of a tenant's policy. The policy is what it is,
// recorded or not: one that could not be exchanged on a full disk would be worse than
// a gap, of which the log tells.
func (s *Set) record(ctx context.Context, slot *slot, change authz.PolicyChange) {
	if s.recorder == nil {
		return
	}
	change.At = s.clock().UTC()
	if err := s.recorder(ctx, slot.Name, change); err != nil {
		s.logger.Error("what became of a policy is not recorded", append(panics.Fields(err), zap.String("tenant", slot.Name),
			zap.String("bundle", change.Bundle), zap.String("revision", change.Revision), zap.String("refused", change.Refused))...)
	}
}

// revision is that of the active policy, empty where there is none.
func (s *slot) revision() string {
	if active := s.active.Load(); active != nil {
		return active.Revision
	}
	return ""
}

// fail keeps and logs why an activation failed, and reports whether that is news: one
// that fails as the one before did is not logged again.
func (s *Set) fail(slot *slot, err error) bool {
	before := slot.failure.Swap(&failure{err: err, at: s.clock()})
	if before != nil && before.err.Error() == err.Error() {
		return false
	}
	outcome := "policy not activated, the one before stays active"
	if slot.active.Load() == nil {
		outcome = "policy not activated, and none was before: nothing is allowed without one"
	}
	s.logger.Error(outcome, append(panics.Fields(err), zap.String("tenant", slot.Name))...)
	return true
}

// prepare is the program of the tenant's bundle as it stands, or nil where that
// is the active one. The digest is compared and not the revision, which an
// author may leave as it is while editing. What was tried is told as far as it is
// known.
func (s *Set) prepare(ctx context.Context, slot *slot, tried *authz.PolicyChange) (_ *Active, err error) {
	defer panics.Catch("activation", &err)
	if slot.active.Load() != nil {
		ctx = s.pace.With(ctx)
	}
	rest := background.Resting(ctx)
	loaded, err := slot.Load(rest)
	if err != nil {
		return nil, err
	}
	tried.Bundle, tried.Revision, tried.Digest = loaded.Name, loaded.Revision, loaded.Digest
	digest := loaded.Digest + loaded.TestDigest
	if before := slot.active.Load(); before != nil && digest == before.Digest {
		return nil, nil
	}
	rest()
	policy, err := rego.Compile(loaded, rego.Options{Package: slot.Package, Builtins: slot.Builtins, Rest: rest})
	if err != nil {
		return nil, err
	}
	active, err := s.choose(ctx, policy, rest)
	if err != nil {
		return nil, err
	}
	if err := s.findFaults(ctx, policy); err != nil {
		return nil, err
	}
	if err := slot.rehearse(ctx, loaded, rest); err != nil {
		return nil, err
	}
	active.Policy, active.Digest, active.ActivatedAt = policy, digest, s.clock()
	return active, nil
}
