// Package pdp is the policy decision point: it takes a request, pins the
// tenant's active program and a snapshot of its directory, and decides.
//
// A decision fails closed. Whatever goes wrong once a request has a program and
// a snapshot, a limit or a panic included, is a decision that denies and says
// why; an error without a decision is left to requests that could not be
// decided at all.
//
// The package knows no wire form and no store. Start with PDP.Decide.
package pdp

import (
	"cmp"
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/panics"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Options are what a PDP decides with.
type Options struct {
	// Policy finds a tenant's active policy. Its errors are of kind NotFound
	// for a tenant that there is none of, and Unavailable while it has no
	// policy; they become Decide's.
	Policy func(tenant string) (Policy, error)
	// Snapshot pins a tenant's directory. Its errors become Decide's.
	Snapshot func(ctx context.Context, tenant string, consistency authz.Consistency) (Snapshot, error)
	// Cache is what decoded entities are kept in. It must be told of every
	// commit of the directory.
	Cache *pip.Cache
	// Limits bound each decision; a zero limit means its default.
	Limits Limits
	// Turns bound how much is evaluated at a time; nil for no bound.
	Turns *admission.Turns
	// Clock yields the time of decisions; nil means time.Now.
	Clock func() time.Time
	// NewID names decisions; nil means a UUID that sorts by time.
	NewID func() string
	// Observer is told of what is answered; nil for nobody.
	Observer Observer
	// Logger gets a line a decision at debug level, and internal errors. Nil
	// logs nothing.
	Logger *zap.Logger
}

// A Policy is what a tenant's requests are decided by.
type Policy struct {
	Program eval.Program
	// Compiled is the policy that the program was made of, for searches; nil has them
	// decide all candidates.
	Compiled *rego.Policy
	// Actions is the rule actions; nil where the policy has none.
	Actions eval.Rule
	// Rules are further rules that the policy may be asked for, by their names.
	Rules map[string]eval.Rule
	// Revision is the bundle's revision.
	Revision string
	// Evaluator is the name of what the program runs on, for the Observer.
	Evaluator string
	// Digest tells bundles apart that have the same revision.
	Digest string
}

// A Snapshot is a tenant's directory at one revision, until it is closed.
type Snapshot interface {
	pip.Snapshot
	// EachReferring visits the ids of a type's entities that name an entity in an
	// attribute, as its text or in its list or object, and maybe others, until visit
	// returns false. It is false where there is no index that tells.
	EachReferring(typ, attribute string, to authz.EntityRef, visit func(id string) bool) (indexed bool, err error)
	// EachChild visits the entities whose parent an entity is, until visit returns
	// false.
	EachChild(parent authz.EntityRef, visit func(authz.EntityRef) bool) error
	// EachGrantee visits the subjects of the grants on a scope, the root for those
	// without one, until visit returns false.
	EachGrantee(scope authz.EntityRef, visit func(subject authz.EntityRef) bool) error
	Close()
}

// A PDP decides. It is safe for use by many goroutines at once.
type PDP struct {
	policy   func(tenant string) (Policy, error)
	snapshot func(ctx context.Context, tenant string, consistency authz.Consistency) (Snapshot, error)
	cache    *pip.Cache
	limits   Limits
	turns    *admission.Turns
	clock    func() time.Time // nil for the system's
	newID    func(now time.Time) string
	tokens   *searchTokens
	searches *searches
	sampler  *sampler
	observer Observer // or nil
	logger   *zap.Logger
}

// New makes a PDP.
func New(o Options) *PDP {
	p := &PDP{
		policy: o.Policy, snapshot: o.Snapshot, cache: o.Cache, limits: o.Limits.withDefaults(), turns: o.Turns,
		clock: o.Clock, newID: new(idSource).next, tokens: newSearchTokens(), searches: newSearches(),
		sampler: newSampler(), observer: o.Observer, logger: cmp.Or(o.Logger, zap.NewNop()),
	}
	if o.NewID != nil {
		p.newID = func(time.Time) string { return o.NewID() }
	}
	return p
}

// DecideOptions say how one request is decided.
type DecideOptions struct {
	Consistency authz.Consistency
	// Explain asks for an explanation, which costs.
	Explain bool
}

// Decide decides one request.
//
// An error means that there is no decision: the request is Invalid, its tenant
// NotFound or its policy Unavailable, the revision asked for is not to be had
// (FailedPrecondition) or did not come in time (DeadlineExceeded), there is too much
// to decide (Overloaded), or the context ended (Canceled, DeadlineExceeded).
// Anything else that goes wrong is a decision with an Err, which denies.
func (p *PDP) Decide(ctx context.Context, request *authz.Request, options DecideOptions) (authz.Decision, error) {
	if err := options.Consistency.Validate(); err != nil {
		return authz.Decision{}, err
	}
	size, err := inspect(request, p.limits.InputBytes)
	if err != nil {
		return authz.Decision{}, err
	}
	pinned, err := p.pin(ctx, request.Tenant, options.Consistency, (*admission.Turns).Check)
	if err != nil {
		return authz.Decision{}, err
	}
	defer pinned.release()
	return p.decide(ctx, &pinned, pinned.start, request, size, options.Explain)
}

// decide decides a request that is valid in form and has a size, from a time on.
func (p *PDP) decide(ctx context.Context, on *pin, start time.Time, request *authz.Request, size int, explain bool) (authz.Decision, error) {
	decision := authz.Decision{ID: p.newID(start), PolicyRevision: on.policy.Revision, DirectoryRevision: on.snapshot.Revision()}
	output, err := p.evaluate(ctx, on, start, request, size, explain)
	_, panicked := errors.AsType[*panics.Error](err) // to be logged, whoever still listens
	if err != nil && !panicked && (ctx.Err() != nil || authz.KindOf(err) == authz.Invalid) {
		return authz.Decision{}, undecided(ctx, err)
	}
	conclude(&decision, output, err)
	p.told(on, start, &decision)
	p.log(request, &decision)
	if p.sampler.take() {
		p.profile(ctx, on, request, time.Since(start))
	}
	return decision, nil
}

// conclude makes a decision of what the policy yielded: deny overrides allow,
// and an error denies.
func conclude(decision *authz.Decision, output eval.Output, err error) {
	decision.Explanation = output.Explanation
	if err != nil {
		decision.Err = err
		return
	}
	decision.Allowed = output.Allow && len(output.Deny) == 0
	decision.Reasons = union(output.Reasons, output.Deny)
	decision.Obligations = output.Obligations
}
