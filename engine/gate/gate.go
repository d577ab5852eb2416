// Package gate holds callers to what the policy for callers, package verdict.api, lets
// them do.
//
// It knows neither how callers have proved who they are nor how they call: a caller
// comes in the context, as package caller carries it. Nothing that was decided is kept.
// An error is a no, and so is a rule that is undefined. Start with Admit.
package gate

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/panics"
)

// The package of the policy for callers, its rule that allows, and the one whose members
// override it, which a policy need not have.
const (
	Package = "verdict.api"
	Allow   = "data." + Package + ".allow"
	Deny    = "data." + Package + ".deny"
)

// Rules are what of a policy a Gate asks.
type Rules struct {
	Allow eval.Rule
	// Deny is nil where the policy has none.
	Deny eval.Rule
}

// Options are what a Gate is made of. Rules and Logger are required.
type Options struct {
	// Rules are those of the active policy.
	Rules func() (Rules, error)
	// Logger is told of policies that fail.
	Logger *zap.Logger
	// Clock yields the time that the policy sees; nil means time.Now.
	Clock func() time.Time
}

// maxSteps is what the policy may do for one call: a thousand times what that for three
// roles does.
const maxSteps = 50_000

// A Gate lets callers through, or not. It is safe for use by many goroutines at once.
type Gate struct {
	Options
	questions sync.Pool
}

// New makes a Gate.
func New(o Options) *Gate {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Gate{Options: o, questions: sync.Pool{New: func() any { return newQuestion() }}}
}

// Admit says whether the caller in the context may do an operation in a tenant; the
// empty tenant means the whole server. Whoever may not is told the same of a tenant
// that there is and of one that there is not.
//
// The error is of kind PermissionDenied, or Unauthenticated where nobody is known to
// call; Unavailable while there is no policy; and what it is of where the context has
// ended.
func (g *Gate) Admit(ctx context.Context, operation caller.Operation, tenant string) error {
	c := caller.From(ctx)
	rules, err := g.Rules()
	if err != nil {
		return err
	}
	allowed, err := g.ask(ctx, rules, c, operation, tenant)
	switch {
	case allowed && err == nil:
		return nil
	case err != nil && ctx.Err() != nil:
		return authz.Errorf(authz.KindOf(ctx.Err()), "the call has ended: %w", ctx.Err())
	case err != nil:
		g.Logger.Error("the policy for callers could not be asked: the call is refused", append(panics.Fields(err),
			zap.Stringer("caller", c), zap.String("operation", string(operation)))...)
	}
	return refusal(c, operation, tenant)
}

func refusal(c caller.Caller, operation caller.Operation, tenant string) error {
	place := "on this server"
	if tenant != "" {
		place = "in tenant " + authz.Quote(tenant)
	}
	deed := string(operation)
	if operation == caller.Status || operation == caller.Metrics {
		deed = "see the " + deed
	}
	if c.Method == caller.Nobody {
		return authz.Errorf(authz.Unauthenticated, "it is not known who calls, and nobody may %s %s: show who you are", deed, place)
	}
	return authz.Errorf(authz.PermissionDenied, "%s may not %s %s: whoever runs the server gives roles in callers.roles of its configuration", c, deed, place)
}

// ask asks the policy.
func (g *Gate) ask(ctx context.Context, rules Rules, c caller.Caller, operation caller.Operation, tenant string) (allowed bool, err error) {
	defer panics.Catch("policy for callers", &err)
	q := g.questions.Get().(*question)
	in := eval.Input{Document: q.of(c, operation, tenant), Validated: true, Directory: eval.NoDirectory{}, Now: g.Clock(), Steps: maxSteps}
	value, defined, err := rules.Allow.Value(ctx, in)
	allowed = defined && value == true
	if allowed && err == nil && rules.Deny != nil {
		value, defined, err = rules.Deny.Value(ctx, in)
		members, isSet := value.([]any)
		allowed = !defined || isSet && len(members) == 0
	}
	g.questions.Put(q) // not after a panic, in which it may still be read
	return allowed, err
}

// Open is the gate where callers are not authenticated: nobody is known, and everyone may
// do everything.
type Open struct{}

// Admit admits.
func (Open) Admit(context.Context, caller.Operation, string) error { return nil }
