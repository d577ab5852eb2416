package authzen

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/status"
)

// evaluation is the Access Evaluation API (section 6).
func (s *server) evaluation(ctx context.Context, r *http.Request, body []byte) (any, error) {
	parts, err := decodeEvaluation(body)
	if err != nil {
		return nil, err
	}
	return s.decide(ctx, r, parts)
}

// evaluations is the Access Evaluations API (section 7). Without evaluations it
// is the Access Evaluation API.
func (s *server) evaluations(ctx context.Context, r *http.Request, body []byte) (any, error) {
	batch, err := decodeEvaluations(body)
	if err != nil {
		return nil, err
	}
	if len(batch.items) == 0 {
		return s.decide(ctx, r, batch.defaults)
	}
	tenant := tenantOf(r)
	requests := make([]*authz.Request, len(batch.items))
	for i, item := range batch.items {
		requests[i] = item.or(batch.defaults).request(tenant)
	}
	decisions, err := s.decider.DecideBatch(ctx, pdp.Batch{Tenant: tenant, Requests: requests, Stop: batch.stop})
	if err != nil {
		return nil, err
	}
	return evaluationsResponse{decisions, s.leaveOut}, nil
}

func (s *server) decide(ctx context.Context, r *http.Request, parts parts) (any, error) {
	decision, err := s.decider.Decide(ctx, parts.request(tenantOf(r)), pdp.DecideOptions{})
	if err != nil {
		return nil, err
	}
	return evaluationResponse{decision, s.leaveOut}, nil
}

func tenantOf(r *http.Request) string { return cmp.Or(r.PathValue("tenant"), authz.DefaultTenant) }

// An evaluationsResponse is the decisions on a batch (section 7.2).
type evaluationsResponse struct {
	decisions []authz.Decision
	leaveOut  Members
}

func (r evaluationsResponse) appendTo(text []byte) (_ []byte, err error) {
	text = append(text, `{"evaluations":[`...)
	for i, decision := range r.decisions {
		if i > 0 {
			text = append(text, ',')
		}
		if text, err = (evaluationResponse{decision, r.leaveOut}).appendTo(text); err != nil {
			return nil, err
		}
	}
	return append(text, "]}"...), nil
}

// An evaluationResponse is a decision (section 5.5), whose internal error the decider
// logged.
type evaluationResponse struct {
	decision authz.Decision
	leaveOut Members
}

func (r evaluationResponse) appendTo(text []byte) (_ []byte, err error) {
	d := r.decision
	text = append(text, `{"decision":`...)
	text = strconv.AppendBool(text, d.Allowed && d.Err == nil)
	const context = `,"context":{`
	start := len(text)
	text = append(text, context...)
	if len(d.Reasons) > 0 && !r.leaveOut.has(Reasons) {
		text = append(appendStrings(append(text, `"reasons":`...), d.Reasons), ',')
	}
	if len(d.Obligations) > 0 && !r.leaveOut.has(Obligations) {
		if text, err = appendObject(append(text, `"obligations":`...), d.Obligations); err != nil {
			return nil, fmt.Errorf("obligations of decision %s: %w", d.ID, err)
		}
		text = append(text, ',')
	}
	if !r.leaveOut.has(DecisionID) {
		text = append(appendString(append(text, `"decision_id":`...), d.ID), ',')
	}
	if !r.leaveOut.has(Revisions) {
		text = append(appendRevisions(text, d.PolicyRevision, d.DirectoryRevision), ',')
	}
	if d.Err != nil {
		if text, err = appendAny(append(text, `"error":`...), failureOf(status.Of(d.Err, "decision "+d.ID))); err != nil {
			return nil, err
		}
		text = append(text, ',')
	}
	if len(text) == start+len(context) {
		return append(text[:start], '}'), nil
	}
	text[len(text)-1] = '}' // in the place of the last comma
	return append(text, '}'), nil
}

// appendRevisions writes what an answer rests on.
func appendRevisions(text []byte, policy string, directory uint64) []byte {
	text = appendString(append(text, `"policy_revision":`...), policy)
	return strconv.AppendUint(append(text, `,"directory_revision":`...), directory, 10)
}
