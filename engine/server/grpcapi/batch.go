package grpcapi

import (
	"context"

	"google.golang.org/grpc/mem"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

func (s *accessServer) batchCheckAccess(ctx context.Context, q *batchQuestion) (wire.Answer, error) {
	if q.refused != nil {
		return nil, q.refused
	}
	var decisions []authz.Decision
	if len(q.batch.Requests) > 0 {
		var err error
		if decisions, err = s.decider.DecideBatch(ctx, q.batch); err != nil {
			return nil, err
		}
	}
	return s.answerAll(q, decisions)
}

const batchResponses = 1<<wire.NumberShift | wire.DelimitedField

// answerAll puts the decisions and the refusals into the order of the items.
// Where the batch was stopped, there are fewer decisions than requests.
func (s *accessServer) answerAll(q *batchQuestion, decisions []authz.Decision) (wire.Answer, error) {
	room := 0
	for i := range decisions {
		room += roomFor(&decisions[i])
	}
	pool := mem.DefaultBufferPool()
	buffer := pool.Get(room)
	data := (*buffer)[:0]
	last := false
	for item := 0; item < q.items && !last; item++ {
		refusal := q.refusal(item)
		if refusal == nil && len(decisions) == 0 {
			break
		}
		var start int
		var err error
		data, start = begin(data, batchResponses)
		if refusal != nil {
			data, err = appendGenerated(data, s.refuse(verdictv1.AccessService_BatchCheckAccess_FullMethodName, refusal))
		} else {
			data, err = appendDecision(data, &decisions[0])
			last = q.batch.Stop != nil && q.batch.Stop(decisions[0])
			decisions = decisions[1:]
		}
		if err != nil {
			return nil, err
		}
		data = finish(data, start)
	}
	*buffer = data
	return wire.Answer{mem.NewBuffer(buffer, pool)}, nil
}
