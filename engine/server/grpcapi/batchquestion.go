package grpcapi

import (
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A batchQuestion is a BatchCheckAccessRequest as the decider takes it.
type batchQuestion struct {
	batch pdp.Batch
	// items is how many items are to be answered.
	items int
	// refusals say of each item why it is not in the batch, nil for one that
	// is. There are none where all items are.
	refusals []error
	// refused is why the decider need not be asked.
	refused error
}

// refusal is why an item is not in the batch, or nil.
func (q *batchQuestion) refusal(item int) error {
	if q.refusals == nil {
		return nil
	}
	return q.refusals[item]
}

const (
	batchItems       = 6<<numberShift | delimitedField
	batchSemantic    = 7<<numberShift | varintField
	batchConsistency = 8<<numberShift | delimitedField
	batchExplain     = 9<<numberShift | varintField

	itemsRepeat fieldSet = 1 << 6
)

func (q *batchQuestion) read(c *cursor) {
	c.repeatable = itemsRepeat
	items := c.count(batchItems)
	if items == 0 || pdp.CheckBatch(items) != nil {
		c.giveUp()
		return
	}
	q.items = items
	q.batch.Requests = make([]*authz.Request, 0, items)
	requests := make([]authz.Request, items)
	var defaults authz.Request
	for tag := c.next(); tag != 0; tag = c.next() {
		if tag < batchItems && len(q.batch.Requests) > 0 { // a default behind an item
			c.giveUp()
			return
		}
		switch tag {
		case batchItems:
			request := &requests[len(q.batch.Requests)]
			*request = defaults
			request.Tenant = tenantOf(defaults.Tenant)
			c.item(request)
			q.batch.Requests = append(q.batch.Requests, request)
		case batchSemantic:
			var err error
			if q.batch.Stop, err = stopOf(verdictv1.EvaluationsSemantic(c.varint())); err != nil {
				c.giveUp()
			}
		case batchConsistency:
			q.batch.Consistency = c.consistency()
		case batchExplain:
			q.batch.Explain = c.boolean()
		default:
			c.ofRequest(tag, &defaults)
		}
	}
	q.batch.Tenant = tenantOf(defaults.Tenant)
}

// item reads the parts that an item has, over those that it takes from its
// batch. Its fields are a request's without the tenant, so that each number is
// one less.
func (c *cursor) item(request *authz.Request) {
	outer := c.enter(0)
	for tag := c.next(); tag != 0; tag = c.next() {
		c.ofRequest(tag+1<<numberShift, request)
	}
	c.leave(outer)
}

func (q *batchQuestion) generated() (message proto.Message, take func()) {
	generated := &verdictv1.BatchCheckAccessRequest{}
	return generated, func() { *q = batchQuestionOf(generated) }
}

// batchQuestionOf is the question of a generated message.
func batchQuestionOf(message *verdictv1.BatchCheckAccessRequest) batchQuestion {
	q := batchQuestion{batch: pdp.Batch{Tenant: tenantOf(message.GetTenant()), Explain: message.GetExplain()}}
	if q.batch.Stop, q.refused = stopOf(message.GetEvaluationsSemantic()); q.refused != nil {
		return q
	}
	if q.batch.Consistency, q.refused = consistencyOf(message.GetConsistency()); q.refused != nil {
		return q
	}
	q.refused = q.takeItems(message)
	return q
}

// takeItems takes the items, up to the one that is sure to stop the batch.
func (q *batchQuestion) takeItems(message *verdictv1.BatchCheckAccessRequest) error {
	if len(message.GetItems()) == 0 {
		return authz.InvalidField("items", "the batch is empty")
	}
	if err := pdp.CheckBatch(len(message.GetItems())); err != nil {
		return authz.InField("items", err)
	}
	defaults := authz.Request{Tenant: q.batch.Tenant}
	if err := setParts(&defaults, message); err != nil {
		return err
	}
	for _, item := range message.GetItems() {
		request := defaults
		err := setParts(&request, item)
		q.items++
		q.refusals = append(q.refusals, err)
		switch {
		case err == nil:
			q.batch.Requests = append(q.batch.Requests, &request)
		case q.batch.Stop != nil && q.batch.Stop(authz.Decision{Err: err}):
			return nil
		}
	}
	return nil
}

// stopOf is when a batch is to stop; nil for never.
func stopOf(semantic verdictv1.EvaluationsSemantic) (func(authz.Decision) bool, error) {
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
