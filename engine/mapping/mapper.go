package mapping

import (
	"cmp"
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/panics"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// RuleName is the rule that maps.
const RuleName = "data.verdict.http.request"

// FaultsName is the rule that says what is wrong with the table of routes, a set of
// texts.
const FaultsName = "data.verdict.routes.faults"

// A Decider answers requests. *pdp.PDP is one.
type Decider interface {
	Decide(ctx context.Context, request *authz.Request, options pdp.DecideOptions) (authz.Decision, error)
}

// Options are what a Mapper is made of. Rule, Decider and Logger are required.
type Options struct {
	// Rule finds the rule of a tenant's active policy, nil where that has none. Its
	// errors are of kind NotFound for a tenant that there is none of, and
	// Unavailable while it has no policy.
	Rule    func(tenant string) (eval.Rule, error)
	Decider Decider
	// Turns bound how many rules are evaluated at a time, as they do decisions; nil for
	// no bound.
	Turns *admission.Turns
	// Logger is told of rules that fail, of what they yield when that is no request
	// and of obligations that cannot be met, and at debug level of what is refused
	// and of what the rule does not know.
	Logger *zap.Logger
	// Clock yields the time of the rule; nil means time.Now.
	Clock func() time.Time
	// Evaluation and Steps bound the rule as they bound a decision; zero means the
	// default of one.
	Evaluation time.Duration
	Steps      int64
}

// A Mapper answers proxies. It is safe for use by many goroutines at once.
type Mapper struct{ Options }

// New makes a Mapper.
func New(o Options) *Mapper {
	o.Evaluation = cmp.Or(o.Evaluation, pdp.DefaultEvaluation)
	o.Steps = cmp.Or(o.Steps, pdp.DefaultSteps)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return &Mapper{o}
}

// Answer maps a message and decides it. The rule and the decision are of the policy
// that is active when each begins, which may be two while a policy is swapped.
//
// An error means that the context has ended, and is of its kind. Whatever else
// goes wrong is an answer that denies.
func (m *Mapper) Answer(ctx context.Context, message *Message) (Answer, error) {
	answer, err := m.answer(ctx, message)
	if ended := ctx.Err(); ended != nil {
		return Answer{}, authz.Errorf(authz.KindOf(ended), "no decision was made: %w", ended)
	}
	if err != nil {
		answer = m.failed(message, err)
	}
	return answer, nil
}

func (m *Mapper) answer(ctx context.Context, message *Message) (answer Answer, err error) {
	defer panics.Catch("mapping", &err)
	document, err := message.Document()
	if err != nil {
		m.Logger.Debug("a request that a proxy asks about is refused", zap.String("tenant", message.Tenant), zap.Error(err))
		return denial(statusRefused, err.Error()), nil
	}
	request, found, err := m.request(ctx, message.Tenant, document)
	switch {
	case err != nil:
		return Answer{}, err
	case found != parts{true, true, true}:
		return m.unknown(message, found), nil
	}
	decision, err := m.Decider.Decide(ctx, request, pdp.DecideOptions{})
	if err != nil {
		return Answer{}, err
	}
	return m.conclude(message.Tenant, &decision), nil
}

// unknown is the answer where the rule has not yielded all of a request.
func (m *Mapper) unknown(message *Message, found parts) Answer {
	path, _, _ := strings.Cut(message.Target, "?")
	m.Logger.Debug("a request that a proxy asks about is denied: not all of it is known",
		zap.String("tenant", message.Tenant), zap.String("method", message.Method), zap.String("path", path),
		zap.Bool("subject", found.subject), zap.Bool("action", found.action), zap.Bool("resource", found.resource))
	if !found.subject {
		return denial(statusNoSubject, "it is not known who asks: send a token, or a better one")
	}
	return denial(statusDenied, "nothing is known about this method on this path")
}

// request is what the rule makes of a document.
func (m *Mapper) request(ctx context.Context, tenant string, document authz.Object) (*authz.Request, parts, error) {
	rule, err := m.Rule(tenant)
	if err != nil {
		return nil, parts{}, err
	}
	if rule == nil {
		return nil, parts{}, authz.Errorf(authz.Evaluation, "the policy has no rule %s: write request := {…} in that package", RuleName)
	}
	turn, err := m.Turns.Check(ctx, tenant)
	if err != nil {
		return nil, parts{}, err
	}
	defer turn.Release() // before the decision, which takes its own
	bounded, cancel := context.WithTimeout(ctx, m.Evaluation)
	defer cancel()
	value, defined, err := rule.Value(bounded, eval.Input{
		Document:  document,
		Validated: true, // Document makes nothing but texts and lists and objects of them
		Directory: eval.NoDirectory{},
		Now:       m.Clock(),
		Steps:     m.Steps,
	})
	if err != nil || !defined {
		return nil, parts{}, err
	}
	request, found, err := requestOf(tenant, value)
	if err == nil && request.Context == nil {
		request.Context = contextOf(document)
	}
	return request, found, err
}

// failed is the answer where there is no decision.
func (m *Mapper) failed(message *Message, err error) Answer {
	fields := append(panics.Fields(err), zap.String("tenant", message.Tenant), zap.Stringer("kind", authz.KindOf(err)))
	switch authz.KindOf(err) {
	case authz.Overloaded:
		m.Logger.Warn("a request that a proxy asks about is denied: there is too much to decide", fields...)
		return denial(statusUnavailable, "try again later")
	case authz.Unavailable:
		m.Logger.Warn("a request that a proxy asks about is denied: there is nothing to decide it by", fields...)
		return denial(statusUnavailable, "try again later")
	}
	m.Logger.Error("a request that a proxy asks about is denied: it could not be mapped or decided", fields...)
	return denial(statusDenied, "the request could not be decided")
}
