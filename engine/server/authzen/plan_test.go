package authzen

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/plan"
)

// A planFunc plans by a function.
type planFunc func(pdp.PlanQuestion) (pdp.Planned, error)

func (f planFunc) Plan(_ context.Context, q pdp.PlanQuestion) (pdp.Planned, error) { return f(q) }

func TestPlans(t *testing.T) {
	ask := func(t *testing.T, planner Planner, path, body string) *httptest.ResponseRecorder {
		t.Helper()
		handler := newOpen(Options{Decider: allowReads, Planner: planner, Ready: func() error { return nil }, Logger: zap.NewNop()})
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
		request.Header.Set("Content-Type", "application/json")
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		return response
	}
	const body = `{"subject":{"type":"user","id":"mina"},"action":{"name":"read"},"resource":{"type":"doc","properties":{"n":1.50}},"dialect":"postgresql","parameters_before":2}`

	var asked pdp.PlanQuestion
	response := ask(t, planFunc(func(q pdp.PlanQuestion) (pdp.Planned, error) {
		asked = q
		return pdp.Planned{
			Plan:           plan.Plan{Effect: plan.Conditional, Condition: "c", SQL: &plan.SQL{Where: "n < $3", Parameters: []any{int64(9007199254740993), "x"}, Table: "docs"}},
			PolicyRevision: "p1", DirectoryRevision: 7,
		}, nil
	}), "/tenants/blue"+planPath, body)
	want := `{"effect":"conditional","sql":{"where":"n < $3","parameters":[9007199254740993,"x"],"table":"docs"},"condition":"c","policy_revision":"p1","directory_revision":7}`
	if got := strings.TrimSpace(response.Body.String()); response.Code != http.StatusOK || got != want {
		t.Errorf("%d %s, expected %s", response.Code, got, want)
	}
	question := asked
	if len(question.Request.Resource.Properties) != 1 {
		t.Errorf("the properties are %v", question.Request.Resource.Properties)
	}
	question.Request.Resource.Properties = nil
	if diff := cmp.Diff(pdp.PlanQuestion{
		Request: &authz.Request{Tenant: "blue", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"}},
		Options: plan.Options{Dialect: plan.PostgreSQL, Before: 2},
	}, question); diff != "" {
		t.Error(diff)
	}

	refused := planFunc(func(pdp.PlanQuestion) (pdp.Planned, error) {
		return pdp.Planned{}, authz.Errorf(authz.FailedPrecondition, "authz.rego:3: why")
	})
	if response := ask(t, refused, planPath, body); response.Code != http.StatusConflict || !strings.Contains(response.Body.String(), "authz.rego:3: why") {
		t.Errorf("what cannot be written: %d %s", response.Code, response.Body)
	}
	if response := ask(t, refused, planPath, strings.Replace(body, ":2}", ":-1}", 1)); response.Code != http.StatusBadRequest {
		t.Errorf("a negative number: %d %s", response.Code, response.Body)
	}
	if response := ask(t, nil, planPath, body); response.Code != http.StatusNotFound {
		t.Errorf("without a planner: %d %s", response.Code, response.Body)
	}
}
