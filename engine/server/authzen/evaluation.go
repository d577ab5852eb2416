package authzen

import (
	"cmp"
	"net/http"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/status"
)

// evaluation is the Access Evaluation API (section 6).
func (s *server) evaluation(r *http.Request, body []byte) (any, error) {
	parts, err := decodeEvaluation(body)
	if err != nil {
		return nil, err
	}
	return s.decide(r, parts)
}

// evaluations is the Access Evaluations API (section 7). Without evaluations it
// is the Access Evaluation API.
func (s *server) evaluations(r *http.Request, body []byte) (any, error) {
	batch, err := decodeEvaluations(body)
	if err != nil {
		return nil, err
	}
	if len(batch.items) == 0 {
		return s.decide(r, batch.defaults)
	}
	tenant := tenantOf(r)
	requests := make([]*authz.Request, len(batch.items))
	for i, item := range batch.items {
		requests[i] = item.or(batch.defaults).request(tenant)
	}
	decisions, err := s.decider.DecideBatch(r.Context(), pdp.Batch{Tenant: tenant, Requests: requests, Stop: batch.stop})
	if err != nil {
		return nil, err
	}
	response := evaluationsResponse{Evaluations: make([]evaluationResponse, len(decisions))}
	for i, decision := range decisions {
		response.Evaluations[i] = respond(decision)
	}
	return response, nil
}

func (s *server) decide(r *http.Request, parts parts) (any, error) {
	decision, err := s.decider.Decide(r.Context(), parts.request(tenantOf(r)), pdp.DecideOptions{})
	if err != nil {
		return nil, err
	}
	return respond(decision), nil
}

func tenantOf(r *http.Request) string { return cmp.Or(r.PathValue("tenant"), authz.DefaultTenant) }

type evaluationsResponse struct {
	Evaluations []evaluationResponse `json:"evaluations"`
}

// An evaluationResponse is a decision (section 5.5).
type evaluationResponse struct {
	Decision bool            `json:"decision"`
	Context  decisionContext `json:"context"`
}

type decisionContext struct {
	Reasons           []string     `json:"reasons,omitempty"`
	Obligations       authz.Object `json:"obligations,omitempty"`
	DecisionID        string       `json:"decision_id"`
	PolicyRevision    string       `json:"policy_revision"`
	DirectoryRevision uint64       `json:"directory_revision"`
	Error             *failureBody `json:"error,omitempty"`
}

// respond is the body of a decision, whose internal error the decider logged.
func respond(decision authz.Decision) evaluationResponse {
	response := evaluationResponse{
		Decision: decision.Allowed && decision.Err == nil,
		Context: decisionContext{
			Reasons:           decision.Reasons,
			Obligations:       decision.Obligations,
			DecisionID:        decision.ID,
			PolicyRevision:    decision.PolicyRevision,
			DirectoryRevision: decision.DirectoryRevision,
		},
	}
	if decision.Err == nil {
		return response
	}
	body := failureOf(status.Of(decision.Err, "decision "+decision.ID))
	response.Context.Error = &body
	return response
}
