package grpcapi

import (
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/wire"
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

// TenantName is the tenant that is asked.
func (q *batchQuestion) TenantName() string { return q.batch.Tenant }

// refusal is why an item is not in the batch, or nil.
func (q *batchQuestion) refusal(item int) error {
	if q.refusals == nil {
		return nil
	}
	return q.refusals[item]
}

const (
	batchItems       = 6<<wire.NumberShift | wire.DelimitedField
	batchSemantic    = 7<<wire.NumberShift | wire.VarintField
	batchConsistency = 8<<wire.NumberShift | wire.DelimitedField
	batchExplain     = 9<<wire.NumberShift | wire.VarintField

	itemsRepeat wire.FieldSet = 1 << 6
)

func (q *batchQuestion) Read(at *wire.Cursor) {
	c := cursor{at}
	c.Repeat(itemsRepeat)
	items := c.Count(batchItems)
	if items == 0 || pdp.CheckBatch(items) != nil {
		c.GiveUp()
		return
	}
	q.items = items
	q.batch.Requests = make([]*authz.Request, 0, items)
	requests := make([]authz.Request, items)
	var defaults authz.Request
	for tag := c.Next(); tag != 0; tag = c.Next() {
		if tag < batchItems && len(q.batch.Requests) > 0 { // a default behind an item
			c.GiveUp()
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
			if q.batch.Stop, err = stopOf(verdictv1.EvaluationsSemantic(c.Varint())); err != nil {
				c.GiveUp()
			}
		case batchConsistency:
			q.batch.Consistency = c.consistency()
		case batchExplain:
			q.batch.Explain = c.Boolean()
		default:
			c.ofRequest(tag, &defaults)
		}
	}
	q.batch.Tenant = tenantOf(defaults.Tenant)
}

// item reads the parts that an item has, over those that it takes from its
// batch. Its fields are a request's without the tenant, so that each number is
// one less.
func (c cursor) item(request *authz.Request) {
	outer := c.Enter(0)
	for tag := c.Next(); tag != 0; tag = c.Next() {
		c.ofRequest(tag+1<<wire.NumberShift, request)
	}
	c.Leave(outer)
}

func (q *batchQuestion) Generated() (message proto.Message, take func()) {
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
