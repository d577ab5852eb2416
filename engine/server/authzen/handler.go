package authzen

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/intake"
	"github.com/verdictpdp/verdict/engine/panics"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/status"
)

// A Decider answers requests. *pdp.PDP is one.
type Decider interface {
	Decide(ctx context.Context, request *authz.Request, options pdp.DecideOptions) (authz.Decision, error)
	DecideBatch(ctx context.Context, batch pdp.Batch) ([]authz.Decision, error)
}

// Options are the parts and the limits of the handler. All parts but the searcher
// and the planner are required.
type Options struct {
	Decider Decider
	// Searcher finds what the decider would allow. Without one there is no search.
	Searcher Searcher
	// Planner writes decisions as filters of rows. Without one there are no plans.
	Planner Planner
	// Callers and Gate say who may ask. They are asked about everything but the
	// metadata and the health, which are anyone's to ask. Who calls is in the context
	// of each request, as package caller carries it. http.Server's ConnContext must be
	// ConnContext, else nobody is known by the process at a Unix socket.
	Callers Callers
	Gate    Gate
	// MeantFor says whether a request's Host is one that this server is asked under; nil
	// takes any. Where callers need not show who they are, it keeps a browser out that
	// another site has sent here under a name of its own.
	MeantFor func(host string) bool
	// Ready says what keeps the server from being ready; nil when it is. Whoever may
	// see the status is told, one by one what errors.Join joins.
	Ready func() error
	// Amiss says what does not work although the server is ready; nil when all
	// does. It is optional, and told as Ready is.
	Amiss  func() error
	Logger *zap.Logger
	// Admission refuses requests while there are too many; nil for none.
	Admission *admission.Door
	// HasTenant says whether there is a tenant of a name. Without it there is none
	// but the one at the root whose metadata can be had.
	HasTenant func(name string) bool
	// PublicURL is what the URLs in metadata begin with. The zero value means that
	// there is no metadata.
	PublicURL PublicURL
	// LeaveOut are the members of contexts that answers do without.
	LeaveOut Members
	// Further are handlers of other packages by their patterns, as http.ServeMux
	// takes them, and Operations what they do, by the same: others are refused. Their
	// answers, too, have the ids of their requests.
	Further    map[string]http.Handler
	Operations map[string]caller.Operation
	// Credentials names, by the same, the header in which the caller shows who it is
	// where Authorization is that of a request which it asks about.
	Credentials map[string]string
	// MaxInputBytes is the decider's limit of the input of one decision; 0 means
	// pdp.DefaultInputBytes. The bodies of requests are bounded by it, see the
	// package's Limits.
	MaxInputBytes int
	// Requests bounds the requests under way, but for /healthz and /readyz; nil for none.
	Requests *intake.Requests
	// MaxTime is how long a request may take from its header to its answer,
	// which then says so; 0 means DefaultMaxTime. What serves the handler must
	// grant more: http.Server's ReadTimeout ends the contexts of requests, and
	// its WriteTimeout drops their answers.
	MaxTime time.Duration
}

// DefaultMaxTime is how long a request may take.
const DefaultMaxTime = 20 * time.Second

// New makes the handler.
func New(o Options) http.Handler {
	one, batch := bodyLimits(cmp.Or(o.MaxInputBytes, pdp.DefaultInputBytes))
	s := &server{
		decider: o.Decider, searcher: o.Searcher, planner: o.Planner, ready: o.Ready, amiss: o.Amiss, logger: o.Logger, counted: o.Admission,
		hasTenant: o.HasTenant, publicURL: o.PublicURL, leaveOut: o.LeaveOut,
		callers: o.Callers, gate: o.Gate, meantFor: o.MeantFor,
		maxTime:   cmp.Or(o.MaxTime, DefaultMaxTime),
		receiving: semaphore.NewWeighted(maxReceived * batch),
		answering: semaphore.NewWeighted(maxBatches * batch),
	}
	if s.amiss == nil {
		s.amiss = func() error { return nil }
	}
	if s.hasTenant == nil {
		s.hasTenant = func(string) bool { return false }
	}
	mux := http.NewServeMux()
	// What stands before the server may take the path of the public URL away from
	// requests, or leave it there: both are served.
	paths := []string{""}
	if s.publicURL.path != "" {
		paths = append(paths, s.publicURL.path)
	}
	for _, path := range paths {
		for _, tenant := range []string{"", "/tenants/{tenant}"} {
			base := path + tenant
			for path, endpoint := range s.endpoints(one, batch) {
				mux.Handle(base+path, s.answer(endpoint.serve, admitted(endpoint.operation), http.MethodPost))
			}
			mux.Handle(wellKnown+base, s.answer(s.metadata, anyone, http.MethodGet, http.MethodHead))
		}
	}
	mux.Handle(healthzPath, s.answer(s.healthz, anyone, http.MethodGet, http.MethodHead))
	mux.Handle(readyzPath, s.answer(s.readyz, anyone, http.MethodGet, http.MethodHead))
	for pattern, handler := range o.Further {
		mux.Handle(pattern, s.further(handler, access{operation: o.Operations[pattern], header: o.Credentials[pattern]}))
	}
	nowhere := s.answer(s.nowhere, whoeverIsKnown)
	mux.Handle("/", nowhere)
	handler := directly(mux, nowhere)
	if o.Requests != nil {
		handler = s.bounded(o.Requests, handler)
	}
	return s.identified(s.meant(handler))
}

// An offer is an endpoint and what it does.
type offer struct {
	serve     endpoint
	operation caller.Operation
}

// bounded bounds all requests but those for what supervises the process, which would end
// one that has much to do.
func (s *server) bounded(requests *intake.Requests, handler http.Handler) http.Handler {
	bounded := requests.Bound(handler, func(w http.ResponseWriter, r *http.Request, err error) {
		s.write(w, r, s.refuse(r, err))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == healthzPath || r.URL.Path == readyzPath {
			handler.ServeHTTP(w, r)
			return
		}
		bounded.ServeHTTP(w, r)
	})
}

const (
	healthzPath = "/healthz"
	readyzPath  = "/readyz"
)

// endpoints are those of a decision point, by their default paths, and beside them
// the one for filters of rows, which AuthZEN does not know.
func (s *server) endpoints(one, batch int64) map[string]offer {
	all := map[string]offer{
		evaluationPath:  {s.counting(s.withBody(one, s.evaluation)), caller.Check},
		evaluationsPath: {s.counting(s.withBody(batch, s.evaluations)), caller.Check},
	}
	if s.searcher != nil {
		all[searchSubjectPath] = offer{s.withBody(one, s.search(pdp.Subjects)), caller.Search}
		all[searchResourcePath] = offer{s.withBody(one, s.search(pdp.Resources)), caller.Search}
		all[searchActionPath] = offer{s.withBody(one, s.search(pdp.Actions)), caller.Search}
	}
	if s.planner != nil {
		all[planPath] = offer{s.withBody(one, s.plan), caller.Plan}
	}
	return all
}

type server struct {
	decider Decider
	// searcher is nil where there is no search.
	searcher Searcher
	// planner is nil where there are no plans.
	planner Planner
	ready   func() error
	// amiss is that of the Options, never nil.
	amiss   func() error
	logger  *zap.Logger
	counted *admission.Door
	maxTime time.Duration
	// callers, gate and meantFor are those of the Options.
	callers  Callers
	gate     Gate
	meantFor func(host string) bool
	// hasTenant, publicURL and leaveOut are those of the Options.
	hasTenant func(string) bool
	publicURL PublicURL
	leaveOut  Members
	buffers   buffers
	// receiving holds the bytes that large bodies may have, from before they come
	// until they are answered, and answering those of the bodies that are being
	// answered.
	receiving, answering *semaphore.Weighted
}

// counting refuses requests before their bodies are read while there are too many, and
// counts the others until they are answered.
func (s *server) counting(serve endpoint) endpoint {
	return func(ctx context.Context, r *http.Request) (any, error) {
		call, err := s.counted.Arrive(s.counted.Of(tenantOf(r)), false)
		if err != nil {
			return nil, err
		}
		defer call.Leave()
		return serve(ctx, r)
	}
}

// An endpoint answers a request with something to be written as JSON, while a
// context lasts.
type endpoint func(context.Context, *http.Request) (any, error)

// A reply is an answer with a status of its own; any other has 200.
type reply struct {
	status int
	body   any
	// cache is its Cache-Control, and challenge its WWW-Authenticate; empty for none.
	cache, challenge string
	// retryAfter is its Retry-After, which tells whole seconds; zero for none.
	retryAfter time.Duration
}

// A refusal is an error that has a status of its own in HTTP.
type refusal struct {
	status int
	error
}

func (r refusal) Unwrap() error { return r.error }

// answer serves an endpoint to those who have access, by the methods given or by all of
// them: it bounds its time, and turns errors into bodies and a panic into 500.
func (s *server) answer(serve endpoint, to access, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		patience := newPatience(r.Context(), s.maxTime)
		defer patience.release()
		ctx, err := s.enter(patience, r, to)
		if err == nil && len(methods) > 0 && !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			err = refusal{http.StatusMethodNotAllowed, authz.Errorf(authz.Invalid,
				"%s cannot be done here: expected %s", authz.Quote(r.Method), strings.Join(methods, " or "))}
		}
		var body any
		if err == nil {
			body, err = s.call(ctx, serve, r)
		}
		switch authz.KindOf(err) {
		case authz.Canceled, authz.DeadlineExceeded:
			if patience.isOver() {
				err = authz.Errorf(authz.DeadlineExceeded, "the request took longer than %v: send it faster, or as several", s.maxTime)
			} else if gone := r.Context().Err(); gone != nil {
				err = gone
			}
		}
		if err != nil {
			body = s.refuse(r, err)
		}
		s.write(w, r, body)
	})
}

// refuse is the answer to a request that failed.
func (s *server) refuse(r *http.Request, err error) reply {
	public := s.public(r, err)
	body := failureOf(public)
	var refused refusal
	if errors.As(err, &refused) {
		body.Status = refused.status
	}
	answer := reply{status: body.Status, body: failure{body}, retryAfter: public.RetryAfter}
	if body.Status == http.StatusUnauthorized {
		answer.challenge = challenge(r)
	}
	return answer
}

// call calls an endpoint and turns a panic into an internal error.
func (s *server) call(ctx context.Context, serve endpoint, r *http.Request) (body any, err error) {
	defer panics.Catch("request", &err)
	return serve(ctx, r)
}

// public is what a caller may read of err. Internal errors are logged.
func (s *server) public(r *http.Request, err error) status.Public {
	reference := "request " + rand.Text()[:12]
	public := status.Of(err, reference)
	if public.Kind == authz.Internal {
		s.logger.Error("a request failed", append(panics.Fields(err),
			zap.String("path", r.URL.Path),
			zap.Strings("request_id", r.Header[requestIDHeader]),
			zap.String("reference", reference))...)
	}
	return public
}

// A failure is the body of an answer that holds no decision.
type failure struct {
	Error failureBody `json:"error"`
}

type failureBody struct {
	Status     int         `json:"status"`
	Kind       string      `json:"kind"`
	Message    string      `json:"message"`
	Violations []violation `json:"violations,omitempty"`
}

type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

func failureOf(public status.Public) failureBody {
	body := failureBody{Status: public.HTTP(), Kind: public.Kind.String(), Message: public.Message}
	for _, v := range public.Violations {
		body.Violations = append(body.Violations, violation{v.Field, v.Description})
	}
	return body
}

func (s *server) nowhere(_ context.Context, r *http.Request) (any, error) {
	return nil, authz.Errorf(authz.NotFound,
		"there is nothing at %s: expected %s, %s, /access/v1/search/subject, resource or action, or %s, also below /tenants/{tenant}; %s, also with /tenants/{tenant} behind it; /healthz or /readyz",
		authz.Quote(r.URL.Path), evaluationPath, evaluationsPath, planPath, wellKnown)
}

// healthz says that the process answers.
func (s *server) healthz(context.Context, *http.Request) (any, error) {
	return health{Status: "ok"}, nil
}

// readyz says whether requests can be decided, and to whoever may see the status what is
// missing, be it for all of them or for some: that names tenants, and shows what is
// wrong with their policies.
func (s *server) readyz(ctx context.Context, r *http.Request) (any, error) {
	answer, missing := reply{status: http.StatusOK}, s.amiss()
	stands := health{Status: "ready"}
	if err := s.ready(); err != nil {
		answer.status, stands.Status, missing = http.StatusServiceUnavailable, "not ready", err
	}
	if missing != nil {
		if _, refused := s.enter(ctx, r, admitted(caller.Status)); refused == nil {
			stands.Missing = status.Texts(missing)
		}
	}
	answer.body = stands
	return answer, nil
}

type health struct {
	Status  string   `json:"status"`
	Missing []string `json:"missing,omitempty"`
}
