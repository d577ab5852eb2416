package grpcapi

import (
	"context"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

func (s *accessServer) BatchCheckAccess(ctx context.Context, message *verdictv1.BatchCheckAccessRequest) (*verdictv1.BatchCheckAccessResponse, error) {
	stop, err := stopOf(message.GetEvaluationsSemantic())
	if err != nil {
		return nil, err
	}
	consistency, err := consistencyOf(message.GetConsistency())
	if err != nil {
		return nil, err
	}
	items, err := itemsOf(message, stop)
	if err != nil {
		return nil, err
	}
	batch := pdp.Batch{
		Tenant:      tenantOf(message.GetTenant()),
		Requests:    items.requests,
		Consistency: consistency,
		Explain:     message.GetExplain(),
		Stop:        stop,
	}
	var decisions []authz.Decision
	if len(batch.Requests) > 0 {
		if decisions, err = s.decider.DecideBatch(ctx, batch); err != nil {
			return nil, err
		}
	}
	return s.respondAll(items, decisions, stop)
}

// A stop says whether a decision is the last of its batch; nil never does.
type stop = func(authz.Decision) bool

func stopOf(semantic verdictv1.EvaluationsSemantic) (stop, error) {
	switch semantic {
	case verdictv1.EvaluationsSemantic_EVALUATIONS_SEMANTIC_UNSPECIFIED,
		verdictv1.EvaluationsSemantic_EVALUATIONS_SEMANTIC_EXECUTE_ALL:
		return nil, nil
	case verdictv1.EvaluationsSemantic_EVALUATIONS_SEMANTIC_DENY_ON_FIRST_DENY:
		return func(d authz.Decision) bool { return !d.Allowed }, nil
	case verdictv1.EvaluationsSemantic_EVALUATIONS_SEMANTIC_PERMIT_ON_FIRST_PERMIT:
		return func(d authz.Decision) bool { return d.Allowed }, nil
	default:
		return nil, authz.InvalidField("evaluations_semantic", "%d is none that this server knows", semantic)
	}
}

// A batchItems holds the items of a batch: those that can be put to the
// decider, in order, and why the others cannot.
type batchItems struct {
	requests []*authz.Request
	refused  []error // one an item; nil for those in requests
}

// itemsOf reads the items, up to the one that is sure to stop the batch.
func itemsOf(message *verdictv1.BatchCheckAccessRequest, stop stop) (batchItems, error) {
	if len(message.GetItems()) == 0 {
		return batchItems{}, authz.InvalidField("items", "the batch is empty")
	}
	if err := pdp.CheckBatch(len(message.GetItems())); err != nil {
		return batchItems{}, authz.InField("items", err)
	}
	defaults := authz.Request{Tenant: tenantOf(message.GetTenant())}
	if err := setParts(&defaults, message); err != nil {
		return batchItems{}, err
	}
	items := batchItems{requests: make([]*authz.Request, 0, len(message.GetItems()))}
	for _, item := range message.GetItems() {
		request := defaults
		err := setParts(&request, item)
		items.refused = append(items.refused, err)
		switch {
		case err == nil:
			items.requests = append(items.requests, &request)
		case stop != nil && stop(authz.Decision{Err: err}):
			return items, nil
		}
	}
	return items, nil
}

// respondAll puts the decisions and the refusals into the order of the items.
// Where the batch was stopped, there are fewer decisions than requests.
func (s *accessServer) respondAll(items batchItems, decisions []authz.Decision, stop stop) (*verdictv1.BatchCheckAccessResponse, error) {
	response := &verdictv1.BatchCheckAccessResponse{}
	for _, refused := range items.refused {
		if refused != nil {
			response.Responses = append(response.Responses, s.refuse(verdictv1.AccessService_BatchCheckAccess_FullMethodName, refused))
			continue
		}
		if len(decisions) == 0 {
			break
		}
		decision := decisions[0]
		decisions = decisions[1:]
		one, err := responseOf(decision)
		if err != nil {
			return nil, err
		}
		response.Responses = append(response.Responses, one)
		if stop != nil && stop(decision) {
			break
		}
	}
	return response, nil
}

// refuse is the answer to what could not be decided, where it shares a response
// or a stream with others.
func (s *accessServer) refuse(method string, err error) *verdictv1.CheckAccessResponse {
	return &verdictv1.CheckAccessResponse{Error: decisionErrorOf(s.guard.public(method, err))}
}
