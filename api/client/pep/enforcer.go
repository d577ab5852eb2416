package pep

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Checker decides. *client.Client is one.
type Checker interface {
	Check(ctx context.Context, request authz.Request) (authz.Decision, error)
}

// An Enforcer lets go ahead what is allowed. It is safe for use by many goroutines
// at once.
type Enforcer struct {
	checker    Checker
	understood map[string]bool
	unchecked  map[string]bool
	notice     func(context.Context, *Refusal)
	status     func(context.Context, *Refusal) *status.Status
	body       func(http.ResponseWriter, *http.Request, *Refusal)
}

// An Option is a choice at New.
type Option func(*Enforcer)

// New makes an enforcer of what a checker decides.
func New(checker Checker, options ...Option) *Enforcer {
	e := &Enforcer{
		checker:    checker,
		understood: map[string]bool{},
		unchecked:  map[string]bool{},
		notice:     func(context.Context, *Refusal) {},
		status:     defaultStatus,
		body:       defaultBody,
	}
	for _, option := range options {
		option(e)
	}
	return e
}

// WithObligations declares the obligations that the application meets, by their
// names in a decision. Its handlers find them, with their values, by DecisionFrom.
func WithObligations(names ...string) Option {
	return func(e *Enforcer) {
		for _, name := range names {
			e.understood[name] = true
		}
	}
}

// WithNotice has a function told of every refusal, such as to log it. Nil leaves
// it at that nobody is.
func WithNotice(notice func(ctx context.Context, refusal *Refusal)) Option {
	return func(e *Enforcer) {
		if notice != nil {
			e.notice = notice
		}
	}
}

// WithStatus has a function make the gRPC status of a refusal, in place of
// PERMISSION_DENIED and UNAVAILABLE. OK and no status become PERMISSION_DENIED. A
// nil function leaves it at those.
func WithStatus(of func(ctx context.Context, refusal *Refusal) *status.Status) Option {
	return func(e *Enforcer) {
		if of != nil {
			e.status = of
		}
	}
}

// WithBody has a function write the HTTP response of a refusal. Unless it calls
// WriteHeader, the status code is 403, or 503 where there is no decision. Nil leaves
// it at Refusal.Public.
func WithBody(write func(w http.ResponseWriter, r *http.Request, refusal *Refusal)) Option {
	return func(e *Enforcer) {
		if write != nil {
			e.body = write
		}
	}
}

// WithUnchecked names gRPC methods that anyone may call, such as
// /grpc.health.v1.Health/Check: nothing is asked about them. Any other method
// needs a function that makes a request of a call.
func WithUnchecked(fullMethods ...string) Option {
	return func(e *Enforcer) {
		for _, method := range fullMethods {
			e.unchecked[method] = true
		}
	}
}

// A Refusal is why something does not go ahead. It is an error.
type Refusal struct {
	// Decision is the decision that does not let it; zero where there is none.
	Decision authz.Decision
	// Unmet are the obligations of an allow that the application has not
	// declared, sorted.
	Unmet []string
	// Err is why there is no request or no decision, or the decision's own error;
	// nil where the policy denies.
	Err error

	// asked is whether a request was made of the call.
	asked     bool
	undecided bool
}

// Undecided is whether the request could be made but no decision could be had, so
// that the answer may be another later. Everything else is a deny, and so is a
// request that can never be decided, of which errors have the kinds Invalid, NotFound
// and LimitExceeded: what of it comes from the caller must not make the application
// look as if it were down.
func (r *Refusal) Undecided() bool { return r.undecided }

// Error tells the application's own log what became of the request. It is not for
// callers: see Public.
func (r *Refusal) Error() string {
	switch {
	case r.undecided:
		return fmt.Sprintf("no decision: %v", r.Err)
	case len(r.Unmet) > 0:
		return fmt.Sprintf("decision %s allows under obligations that are not declared (pep.WithObligations): %s", r.Decision.ID, strings.Join(r.Unmet, ", "))
	case r.asked && r.Err != nil && r.Decision.ID == "":
		return fmt.Sprintf("denied: the request cannot be decided: %v", r.Err)
	case r.Err != nil && r.Decision.ID == "":
		return fmt.Sprintf("denied: no request was made of the call: %v", r.Err)
	case r.Err != nil:
		return fmt.Sprintf("decision %s denies: %v", r.Decision.ID, r.Err)
	case len(r.Decision.Reasons) > 0:
		return fmt.Sprintf("decision %s denies: %s", r.Decision.ID, strings.Join(r.Decision.Reasons, "; "))
	default:
		return fmt.Sprintf("decision %s denies", r.Decision.ID)
	}
}

// Unwrap is Err.
func (r *Refusal) Unwrap() error { return r.Err }

// Public is what a caller may read: that it was refused, and the id under which
// the logs tell more. It gives no reason away.
func (r *Refusal) Public() string {
	switch {
	case r.undecided:
		return "access cannot be decided at the moment"
	case r.Decision.ID != "":
		return "access denied (decision " + r.Decision.ID + ")"
	default:
		return "access denied"
	}
}

// Enforce asks, and returns the decision when the request may go ahead. Every
// error is a *Refusal.
func (e *Enforcer) Enforce(ctx context.Context, request authz.Request) (authz.Decision, error) {
	decision, refusal := e.decide(ctx, request)
	if refusal != nil {
		e.notice(ctx, refusal)
		return authz.Decision{}, refusal
	}
	return decision, nil
}

func (e *Enforcer) decide(ctx context.Context, request authz.Request) (authz.Decision, *Refusal) {
	decision, err := contained(func() (authz.Decision, error) { return e.checker.Check(ctx, request) })
	switch {
	case err != nil:
		return authz.Decision{}, &Refusal{Err: err, asked: true, undecided: !impossible(err)}
	case !decision.Allowed || decision.Err != nil:
		return authz.Decision{}, &Refusal{Decision: decision, Err: decision.Err, asked: true}
	}
	var unmet []string
	for name := range decision.Obligations {
		if !e.understood[name] {
			unmet = append(unmet, name)
		}
	}
	if len(unmet) > 0 {
		slices.Sort(unmet)
		return authz.Decision{}, &Refusal{Decision: decision, Unmet: unmet, asked: true}
	}
	return decision, nil
}

// impossible is whether a request can never be decided.
func impossible(err error) bool {
	switch authz.KindOf(err) {
	case authz.Invalid, authz.NotFound, authz.LimitExceeded:
		return true
	default:
		return false
	}
}

// admit asks what a function makes of a call, and returns a context with the
// decision. A function that is not there makes nothing.
func (e *Enforcer) admit(ctx context.Context, what string, requestOf func() (authz.Request, error)) (context.Context, *Refusal) {
	refusal := &Refusal{}
	var request authz.Request
	if requestOf == nil {
		refusal.Err = fmt.Errorf("%s has no function that makes a request of it", what)
	} else if request, refusal.Err = contained(requestOf); refusal.Err == nil {
		var decision authz.Decision
		// The metadata that a context has for its own call, such as a token, is not for
		// whoever decides.
		asking := metadata.NewOutgoingContext(ctx, metadata.MD{})
		if decision, refusal = e.decide(asking, request); refusal == nil {
			return context.WithValue(ctx, decisionKey{}, decision), nil
		}
	}
	e.notice(ctx, refusal)
	return nil, refusal
}

type decisionKey struct{}

// DecisionFrom is the decision that let a handler run, with the obligations that
// the handler must meet.
func DecisionFrom(ctx context.Context) (authz.Decision, bool) {
	decision, is := ctx.Value(decisionKey{}).(authz.Decision)
	return decision, is
}
