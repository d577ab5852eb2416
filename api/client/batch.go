package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// MaxBatch is how many requests CheckBatch takes.
const MaxBatch = 1_000

// A Semantic says when a batch stops (AuthZEN 1.0, section 7.1.2.1).
type Semantic uint8

const (
	// ExecuteAll decides every request.
	ExecuteAll Semantic = iota
	// DenyOnFirstDeny stops at the first deny, one for an error included: a logical
	// and.
	DenyOnFirstDeny
	// PermitOnFirstPermit stops at the first allow: a logical or.
	PermitOnFirstPermit
)

// BatchOptions say how the requests of a batch are decided. The zero value has all
// of them decided, on the latest revision of the directory.
type BatchOptions struct {
	// Semantic says when to stop.
	Semantic Semantic
	// Consistency says which directory revision is read.
	Consistency authz.Consistency
	// Explain asks for explanations, which make a decision several times slower.
	Explain bool
}

// CheckBatch asks for the decisions about 1 to MaxBatch requests of one tenant,
// by one policy, on one directory revision and at one time. They come in the
// order of the requests, and are fewer only where the semantic stopped the batch: the
// one that did is the last. A request that is wrong in itself gets a decision with
// an Err of kind Invalid and does not fail the others; an error is about the
// batch as a whole, and as CheckWith's.
func (c *Client) CheckBatch(ctx context.Context, requests []authz.Request, options BatchOptions) ([]authz.Decision, error) {
	batch, err := c.batchOf(requests, options)
	if err != nil {
		return nil, err
	}
	items := len(batch.message.GetItems())
	if items == 0 {
		return batch.decisions, nil
	}
	response, err := inTime(ctx, c, func(ctx context.Context) (*verdictv1.BatchCheckAccessResponse, error) {
		response, err := c.access.BatchCheckAccess(ctx, batch.message)
		if err == nil {
			err = complete(response, items, options.Semantic)
		}
		return response, err
	})
	if err != nil {
		return nil, err
	}
	answers := response.GetResponses()
	for i, answer := range answers {
		batch.decisions[batch.places[i]] = decisionIn(answer)
	}
	if last := len(answers) - 1; options.Semantic.stopsAt(answers[last]) {
		return batch.decisions[:batch.places[last]+1], nil
	}
	return batch.decisions, nil
}

// stopsAt is whether a batch goes no further than an answer.
func (s Semantic) stopsAt(answer *verdictv1.CheckAccessResponse) bool {
	allowed := answer.GetAllowed() && answer.GetError() == nil
	return s == DenyOnFirstDeny && !allowed || s == PermitOnFirstPermit && allowed
}

// complete is the error of a batch whose answers are not those that its semantic
// asks for.
func complete(response *verdictv1.BatchCheckAccessResponse, items int, semantic Semantic) error {
	answers := response.GetResponses()
	for i, answer := range answers {
		if semantic.stopsAt(answer) {
			items = min(items, i+1)
			break
		}
	}
	if got := len(answers); got != items {
		return status.Errorf(codes.Internal, "a batch that %d decisions answer was answered with %d", items, got)
	}
	return nil
}

// A batch is the message of many requests.
type batch struct {
	message *verdictv1.BatchCheckAccessRequest
	// places are where in the decisions those of the message's items belong.
	places []int
	// decisions has those of the requests that were not worth sending.
	decisions []authz.Decision
}

func (c *Client) batchOf(requests []authz.Request, options BatchOptions) (*batch, error) {
	if len(requests) == 0 || len(requests) > MaxBatch {
		return nil, authz.InvalidField("requests", "a batch of %d requests: 1 to %d are allowed", len(requests), MaxBatch)
	}
	if options.Semantic > PermitOnFirstPermit {
		return nil, authz.InvalidField("semantic", "%d is none: expected ExecuteAll, DenyOnFirstDeny or PermitOnFirstPermit", options.Semantic)
	}
	var w writer
	tenant := c.tenantOf(&requests[0])
	b := &batch{
		message: &verdictv1.BatchCheckAccessRequest{
			Tenant:              w.text("tenant", tenant),
			Consistency:         w.consistency(options.Consistency),
			Explain:             options.Explain,
			EvaluationsSemantic: verdictv1.EvaluationsSemantic_EVALUATIONS_SEMANTIC_EXECUTE_ALL + verdictv1.EvaluationsSemantic(options.Semantic),
		},
		decisions: make([]authz.Decision, 0, len(requests)),
	}
	if err := authz.JoinInvalid(w.errs); err != nil {
		return nil, err
	}
	for i := range requests {
		if other := c.tenantOf(&requests[i]); other != tenant {
			return nil, authz.InvalidField(fmt.Sprintf("requests[%d].tenant", i),
				"%s is not the tenant of the first request, %s: a batch is of one tenant", authz.Quote(other), authz.Quote(tenant))
		}
	}
	for i := range requests {
		item, err := itemOf(&requests[i])
		b.decisions = append(b.decisions, authz.Decision{Err: err})
		if err == nil {
			b.message.Items = append(b.message.Items, item)
			b.places = append(b.places, i)
		} else if options.Semantic == DenyOnFirstDeny {
			break
		}
	}
	return b, nil
}

func itemOf(request *authz.Request) (*verdictv1.BatchCheckAccessItem, error) {
	var w writer
	item := &verdictv1.BatchCheckAccessItem{
		Subject:  w.subject(request.Subject),
		Action:   w.action(request.Action),
		Resource: w.resource(request.Resource),
		Context:  w.object("context", request.Context),
	}
	return item, authz.JoinInvalid(w.errs)
}
