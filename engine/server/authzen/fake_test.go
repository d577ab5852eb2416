package authzen

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A decideFunc decides by a function, a batch request by request.
type decideFunc func(*authz.Request) (authz.Decision, error)

func (f decideFunc) Decide(_ context.Context, request *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
	return f(request)
}

func (f decideFunc) DecideBatch(_ context.Context, batch pdp.Batch) ([]authz.Decision, error) {
	var decisions []authz.Decision
	for _, request := range batch.Requests {
		decision, err := f(request)
		if err != nil {
			decision = authz.Decision{Err: err}
		}
		decisions = append(decisions, decision)
		if batch.Stop != nil && batch.Stop(decision) {
			break
		}
	}
	return decisions, nil
}

// allowReads allows the action read, and refuses what has no resource id.
var allowReads = decideFunc(func(request *authz.Request) (authz.Decision, error) {
	if request.Resource.ID == "" {
		return authz.Decision{}, authz.InvalidField("resource.id", "is missing")
	}
	return authz.Decision{Allowed: request.Action.Name == "read"}, nil
})

// remember answers allow and keeps the last request.
func remember(last **authz.Request) decideFunc {
	return func(request *authz.Request) (authz.Decision, error) {
		*last = request
		return authz.Decision{Allowed: true}, nil
	}
}

// An admitFunc is a gate by a function.
type admitFunc func(ctx context.Context, operation caller.Operation, tenant string) error

func (f admitFunc) Admit(ctx context.Context, operation caller.Operation, tenant string) error {
	return f(ctx, operation, tenant)
}

// newOpen makes a handler that everyone may ask everything, unless the options say
// otherwise.
func newOpen(o Options) http.Handler {
	if o.Callers == nil {
		o.Callers = caller.New(caller.Options{})
	}
	if o.Gate == nil {
		o.Gate = admitFunc(func(context.Context, caller.Operation, string) error { return nil })
	}
	return New(o)
}

func newHandler(decider Decider) http.Handler {
	return newOpen(Options{Decider: decider, Ready: func() error { return nil }, Logger: zap.NewNop()})
}

// post sends a JSON body.
func post(t *testing.T, handler http.Handler, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	return response
}
