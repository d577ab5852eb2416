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
		response.Evaluations[i] = s.respond(decision)
	}
	return response, nil
}

func (s *server) decide(r *http.Request, parts parts) (any, error) {
	decision, err := s.decider.Decide(r.Context(), parts.request(tenantOf(r)), pdp.DecideOptions{})
	if err != nil {
		return nil, err
	}
	return s.respond(decision), nil
}

func tenantOf(r *http.Request) string { return cmp.Or(r.PathValue("tenant"), authz.DefaultTenant) }

type evaluationsResponse struct {
	Evaluations []evaluationResponse `json:"evaluations"`
}

// An evaluationResponse is a decision (section 5.5).
type evaluationResponse struct {
	Decision bool            `json:"decision"`
	Context  decisionContext `json:"context,omitzero"`
}

type decisionContext struct {
	Reasons     []string     `json:"reasons,omitempty"`
	Obligations authz.Object `json:"obligations,omitempty"`
	DecisionID  *string      `json:"decision_id,omitempty"`
	*revisions
	Error *failureBody `json:"error,omitempty"`
}

// revisions are what an answer rests on.
type revisions struct {
	Policy    string `json:"policy_revision"`
	Directory uint64 `json:"directory_revision"`
}

// respond is the body of a decision, whose internal error the decider logged.
func (s *server) respond(decision authz.Decision) evaluationResponse {
	response := evaluationResponse{Decision: decision.Allowed && decision.Err == nil}
	if !s.leaveOut.has(Reasons) {
		response.Context.Reasons = decision.Reasons
	}
	if !s.leaveOut.has(Obligations) {
		response.Context.Obligations = decision.Obligations
	}
	if !s.leaveOut.has(DecisionID) {
		response.Context.DecisionID = &decision.ID
	}
	if !s.leaveOut.has(Revisions) {
		response.Context.revisions = &revisions{decision.PolicyRevision, decision.DirectoryRevision}
	}
	if decision.Err != nil {
		body := failureOf(status.Of(decision.Err, "decision "+decision.ID))
		response.Context.Error = &body
	}
	return response
}
