package grpcapi

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// An accessServer decides. Batches are in batch.go, streams in stream.go, searches
// in search.go, plans in plan.go.
type accessServer struct {
	verdictv1.UnimplementedAccessServiceServer
	decider  Decider
	searcher Searcher
	planner  Planner
	guard    *guard
	counted  *admission.Door
	closing  context.Context
}

// description is the AccessService. The methods that decide take questions and
// return answers where generated ones would take and return generated messages.
func (s *accessServer) description() *grpc.ServiceDesc {
	described := verdictv1.AccessService_ServiceDesc
	ours := map[string]grpc.MethodDesc{
		"CheckAccess":      answering("CheckAccess", verdictv1.AccessService_CheckAccess_FullMethodName, s.checkAccess),
		"BatchCheckAccess": answering("BatchCheckAccess", verdictv1.AccessService_BatchCheckAccess_FullMethodName, s.batchCheckAccess),
	}
	described.Methods = slices.Clone(described.Methods)
	for i, method := range described.Methods {
		if own, is := ours[method.MethodName]; is {
			described.Methods[i] = own
		}
	}
	described.Streams = []grpc.StreamDesc{{
		StreamName:    "StreamCheckAccess",
		Handler:       func(_ any, stream grpc.ServerStream) error { return s.streamCheckAccess(stream) },
		ServerStreams: true,
		ClientStreams: true,
	}}
	return &described
}

// answering describes a method by a function.
func answering[Question any](name, fullName string, answerTo func(context.Context, *Question) (wire.Answer, error)) grpc.MethodDesc {
	info := &grpc.UnaryServerInfo{FullMethod: fullName}
	handle := func(ctx context.Context, q any) (any, error) { return answerTo(ctx, q.(*Question)) }
	return grpc.MethodDesc{
		MethodName: name,
		Handler: func(_ any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
			q := new(Question)
			if err := receive(q); err != nil {
				return nil, err
			}
			return interceptor(ctx, q, info, handle)
		},
	}
}

func (s *accessServer) checkAccess(ctx context.Context, q *question) (wire.Answer, error) {
	data, err := s.appendAnswer(ctx, nil, q)
	if err != nil {
		return nil, err
	}
	return wire.Answer{mem.SliceBuffer(data)}, nil
}

// appendAnswer decides, and appends the decision as a CheckAccessResponse.
func (s *accessServer) appendAnswer(ctx context.Context, data []byte, q *question) ([]byte, error) {
	if q.refused != nil {
		return data, q.refused
	}
	decision, err := s.decider.Decide(ctx, &q.request, q.options)
	if err != nil {
		return data, err
	}
	return appendDecision(slices.Grow(data, roomFor(&decision)), &decision)
}

// refuse is the answer to what could not be decided, where it shares a response
// or a stream with others.
func (s *accessServer) refuse(method string, err error) *verdictv1.CheckAccessResponse {
	return &verdictv1.CheckAccessResponse{Error: decisionErrorOf(s.guard.public(method, err))}
}
