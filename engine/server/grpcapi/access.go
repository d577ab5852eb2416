package grpcapi

import (
	"context"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// An accessServer decides. Batches are in batch.go, streams in stream.go.
type accessServer struct {
	verdictv1.UnimplementedAccessServiceServer
	decider Decider
	guard   *guard
	closing context.Context
}

func (s *accessServer) CheckAccess(ctx context.Context, message *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
	request, err := requestOf(message)
	if err != nil {
		return nil, err
	}
	consistency, err := consistencyOf(message.GetConsistency())
	if err != nil {
		return nil, err
	}
	decision, err := s.decider.Decide(ctx, request, pdp.DecideOptions{Consistency: consistency, Explain: message.GetExplain()})
	if err != nil {
		return nil, err
	}
	return responseOf(decision)
}
