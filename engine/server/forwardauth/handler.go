package forwardauth

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/mapping"
	"github.com/verdictpdp/verdict/engine/server/status"
)

// An Answerer answers proxies. *mapping.Mapper is one.
type Answerer interface {
	Answer(ctx context.Context, message *mapping.Message) (mapping.Answer, error)
}

// Options are the parts of the handler. Answerer and Logger are required.
type Options struct {
	Answerer Answerer
	Logger   *zap.Logger
	// AddressHeader is the header in which the proxy tells where a request comes
	// from, such as X-Real-IP; of a list, as in X-Forwarded-For, the last counts,
	// which is the proxy's. A request without it is refused. Empty for none.
	AddressHeader string
	// PrincipalHeader is the header in which the proxy tells the identity of a
	// certificate that it has verified. Empty for none.
	PrincipalHeader string
	// PolicyHeaders are the headers that reach a backend only where the policy sets
	// them, as far as the proxy copies them.
	PolicyHeaders []string
	// MaxTime is how long an answer may take; 0 means DefaultMaxTime.
	MaxTime time.Duration
}

// DefaultMaxTime is how long an answer may take. Proxies wait for 30 or 60 s.
const DefaultMaxTime = 20 * time.Second

// StatusHeader holds the status that nginx is not told otherwise.
const StatusHeader = "X-Verdict-Status"

// CallerHeader holds the credentials of the proxy itself, if it has any. Authorization is
// that of the request which it asks about.
const CallerHeader = "X-Verdict-Authorization"

// A dialect is the headers by which a proxy tells of a request.
type dialect struct {
	method, target, host, scheme string
	// folds says that the proxy takes nothing but 401 and 403 for a denial.
	folds bool
}

var (
	original  = dialect{"X-Original-Method", "X-Original-Uri", "X-Original-Host", "X-Original-Scheme", true}
	forwarded = dialect{"X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Forwarded-Proto", false}
)

// New makes the handler of /proxy/… and /tenants/{tenant}/proxy/….
func New(o Options) http.Handler {
	o.MaxTime = cmp.Or(o.MaxTime, DefaultMaxTime)
	mux := http.NewServeMux()
	for _, base := range []string{"", "/tenants/{tenant}"} {
		mux.Handle(base+"/proxy/nginx", &server{Options: o, dialect: original})
		mux.Handle(base+"/proxy/forwarded", &server{Options: o, dialect: forwarded})
	}
	mux.HandleFunc("/", nowhere)
	return mux
}

// A server answers proxies of one dialect.
type server struct {
	Options
	dialect dialect
	// hostless says that a request was refused for which no host was told.
	hostless atomic.Bool
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	message, err := s.message(r)
	if err != nil {
		s.Logger.Log(s.level(r.Header), "a proxy asks without what it must tell", zap.String("path", r.URL.Path), zap.Error(err))
		s.deny(w, plainDenial(http.StatusBadRequest, err.Error()))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.MaxTime)
	defer cancel()
	answer, err := s.Answerer.Answer(ctx, message)
	switch {
	case err != nil:
		public := status.Of(err, "the proxy's request")
		s.deny(w, plainDenial(public.HTTP(), public.Message))
	case answer.Allowed():
		s.allow(w, &answer)
	default:
		s.deny(w, &answer)
	}
}

// level is that of the log's line about what a proxy does not tell. There is one warning
// that the host is missing, for nginx tells none where a client of HTTP/1.0 names none,
// and no client is to fill the log.
func (s *server) level(told http.Header) zapcore.Level {
	if len(told.Values(s.dialect.host)) == 0 && s.hostless.Swap(true) {
		return zap.DebugLevel
	}
	return zap.WarnLevel
}

// message is what the proxy tells of a request.
func (s *server) message(r *http.Request) (*mapping.Message, error) {
	m := &mapping.Message{Tenant: cmp.Or(r.PathValue("tenant"), authz.DefaultTenant)}
	for _, told := range []struct {
		header string
		part   *string
	}{{s.dialect.method, &m.Method}, {s.dialect.target, &m.Target}, {s.dialect.host, &m.Host}, {s.dialect.scheme, &m.Scheme}} {
		values := r.Header.Values(told.header)
		if len(values) != 1 || values[0] == "" {
			return nil, authz.Errorf(authz.Invalid, "the header %s is there %d times: the proxy must set it, once, to what the client asks for", told.header, len(values))
		}
		*told.part = values[0]
	}
	if s.AddressHeader != "" {
		if m.Address = lastOf(r.Header.Values(s.AddressHeader)); m.Address == "" {
			return nil, authz.Errorf(authz.Invalid, "the header %s has no address: the proxy must set it, to where the request comes from", s.AddressHeader)
		}
	}
	principals := r.Header.Values(s.PrincipalHeader)
	if len(principals) > 1 {
		return nil, authz.Errorf(authz.Invalid, "the header %s is there %d times: the proxy must set it, once, to whom it has verified", s.PrincipalHeader, len(principals))
	}
	m.Principal = strings.Join(principals, "")
	m.Headers = s.clients(r.Header)
	return m, nil
}

// clients are the headers that are the client's, as far as anybody knows.
func (s *server) clients(headers http.Header) map[string]string {
	proxys := []string{s.dialect.method, s.dialect.target, s.dialect.host, s.dialect.scheme, http.CanonicalHeaderKey(s.PrincipalHeader), "Connection", CallerHeader}
	clients := make(map[string]string, len(headers))
	for name, values := range headers {
		if slices.Contains(proxys, name) {
			continue
		}
		name = strings.ToLower(name)
		clients[name] = mapping.JoinHeader(name, values)
	}
	return clients
}

// lastOf is the last element of a list that may go over several headers.
func lastOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

func (s *server) allow(w http.ResponseWriter, answer *mapping.Answer) {
	for _, name := range s.PolicyHeaders {
		w.Header().Set(name, "")
	}
	for _, header := range answer.Headers {
		// Of several lines, nginx before 1.23 copies the first.
		w.Header().Set(header.Name, mapping.JoinHeader(header.Name, header.Values))
	}
	w.WriteHeader(http.StatusOK)
}

func (s *server) deny(w http.ResponseWriter, answer *mapping.Answer) {
	for _, header := range answer.Headers {
		w.Header()[http.CanonicalHeaderKey(header.Name)] = header.Values
	}
	code := answer.Status
	if s.dialect.folds && code != http.StatusUnauthorized && code < http.StatusInternalServerError {
		w.Header().Set(StatusHeader, strconv.Itoa(code))
		code = http.StatusForbidden
	}
	w.WriteHeader(code)
	// Whether it arrives is the proxy's matter.
	_, _ = w.Write(answer.Body)
}

// plainDenial is a denial for the eyes of whoever sets up the proxy.
func plainDenial(code int, message string) *mapping.Answer {
	return &mapping.Answer{
		Status:  code,
		Body:    []byte(message + "\n"),
		Headers: []mapping.Header{{Name: "content-type", Values: []string{"text/plain; charset=utf-8"}}},
	}
}

func nowhere(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "there is nothing at "+authz.Quote(r.URL.Path)+": expected /proxy/nginx or /proxy/forwarded, also below /tenants/{tenant}", http.StatusNotFound)
}
