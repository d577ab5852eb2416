package authzen

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/caller"
)

// A Callers finds out who is at the other end of a connection, and who makes each
// request on it. *caller.Authenticator is one.
type Callers interface {
	Connect(evidence caller.Evidence) *caller.Connection
}

// A Gate says what the caller in a context may do; the empty tenant means the whole
// server. *gate.Gate is one.
type Gate interface {
	Admit(ctx context.Context, operation caller.Operation, tenant string) error
}

// An access says whose an endpoint is to ask.
type access struct {
	// anyone need not be known, and whoever is known need not be admitted.
	anyone, known bool
	operation     caller.Operation
	// header is the one with the caller's credentials; empty for Authorization.
	header string
}

// credentials are what a request brings to show who makes it.
func (a access) credentials(r *http.Request) []string {
	if a.header != "" {
		return r.Header.Values(a.header)
	}
	return r.Header["Authorization"]
}

var (
	anyone         = access{anyone: true}
	whoeverIsKnown = access{known: true}
)

// admitted are those who may do an operation.
func admitted(operation caller.Operation) access { return access{operation: operation} }

// A visitor is what is known of a connection. What TLS tells is known with the first
// request.
type visitor struct {
	process    *caller.Process
	address    string
	once       sync.Once
	connection *caller.Connection
}

type visitorKey struct{}

// ConnContext notes what is at the other end of a connection, as http.Server calls it.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, visitorKey{}, &visitor{
		process: caller.ProcessAt(conn), address: caller.AddressOf(conn.RemoteAddr()),
	})
}

// enter finds out who makes a request, and whether they have access. The context has the
// caller.
func (s *server) enter(ctx context.Context, r *http.Request, to access) (context.Context, error) {
	if to.anyone {
		return ctx, nil
	}
	v, noted := ctx.Value(visitorKey{}).(*visitor)
	if !noted {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		v = &visitor{address: host}
	}
	v.once.Do(func() {
		v.connection = s.callers.Connect(caller.Evidence{TLS: r.TLS, Process: v.process, Address: v.address})
	})
	c, err := v.connection.Caller(to.credentials(r)...)
	if err != nil {
		return ctx, err
	}
	ctx = caller.NewContext(ctx, c)
	if to.known {
		return ctx, nil
	}
	if to.operation == "" {
		return ctx, authz.Errorf(authz.PermissionDenied, "nobody may ask for %s", authz.Quote(r.URL.Path))
	}
	tenant := r.PathValue("tenant")
	switch to.operation {
	case caller.Describe, caller.Metrics, caller.Status, caller.Administer: // of the whole server where no tenant is named
	default:
		tenant = tenantOf(r)
	}
	return ctx, s.gate.Admit(ctx, to.operation, tenant)
}

// further serves a handler of another package to those who have access. Checks are
// counted at the door, as those of this package are.
func (s *server) further(handler http.Handler, to access) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, err := s.enter(r.Context(), r, to)
		if err != nil {
			s.write(w, r, s.refuse(r, err))
			return
		}
		if to.operation == caller.Check {
			call, err := s.counted.Arrive(s.counted.Of(tenantOf(r)), false)
			if err != nil {
				s.write(w, r, s.refuse(r, err))
				return
			}
			defer call.Leave()
		}
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// meant refuses requests whose Host is not one that the server is asked under.
func (s *server) meant(handler http.Handler) http.Handler {
	if s.meantFor == nil {
		return handler
	}
	refuse := s.answer(func(_ context.Context, r *http.Request) (any, error) {
		return nil, refusal{http.StatusMisdirectedRequest, authz.Errorf(authz.Invalid,
			"the Host is %s, under which this server is not asked: name it in http.hosts of the configuration if it is", authz.Quote(r.Host))}
	}, anyone)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.meantFor(r.Host) {
			refuse.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// challenge says how to show who one is (RFC 6750, section 3).
func challenge(r *http.Request) string {
	if len(r.Header["Authorization"]) == 0 {
		return `Bearer realm="verdict"`
	}
	return `Bearer realm="verdict", error="invalid_token"`
}
