package pep

import (
	"errors"
	"net/http"

	"github.com/verdictpdp/verdict/api/authz"
)

// Handler is a handler that runs next when the request which is made of the HTTP
// request is allowed. Where it is nil, returns an error or panics, the answer is a
// deny; WithBody sees the error, and may say 401 for a caller who is not known.
//
// What is asked must be about what next does. So put a Handler behind the router, one
// to a route, and take ids from what the router found, such as r.PathValue: a path
// that is taken apart a second time, before the router cleans it, may be read
// otherwise than the router reads it (%2f, //, dot segments). A pattern with GET also
// serves HEAD.
func (e *Enforcer) Handler(requestOf func(*http.Request) (authz.Request, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var ask func() (authz.Request, error)
		if requestOf != nil {
			ask = func() (authz.Request, error) { return requestOf(r) }
		}
		ctx, refusal := e.admit(r.Context(), r.Method+" "+r.URL.EscapedPath(), ask)
		if refusal != nil {
			e.refuse(w, r, refusal)
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Middleware is Handler for chains of middleware.
func (e *Enforcer) Middleware(requestOf func(*http.Request) (authz.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return e.Handler(requestOf, next) }
}

// ErrNoRequest is for functions to return that make no request of a call, such as
// for a route that they do not know. Any other error does the same.
var ErrNoRequest = errors.New("nothing says what to ask about this call")

func (e *Enforcer) refuse(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	code := http.StatusForbidden
	if refusal.Undecided() {
		code = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	refused := &refusedWriter{ResponseWriter: w, code: code}
	e.body(refused, r, refusal)
	refused.begin()
}

func defaultBody(w http.ResponseWriter, _ *http.Request, refusal *Refusal) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(refusal.Public() + "\n")) // a caller who is gone needs no answer
}

// A refusedWriter has the status code of a refusal, unless another is written.
type refusedWriter struct {
	http.ResponseWriter
	code  int
	begun bool
}

func (w *refusedWriter) begin() {
	if !w.begun {
		w.WriteHeader(w.code)
	}
}

func (w *refusedWriter) WriteHeader(code int) {
	if code >= http.StatusOK { // and none of those that come before the answer
		w.begun = true
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *refusedWriter) Write(data []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(data)
}
