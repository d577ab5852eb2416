package grpcapi

import (
	"context"

	"google.golang.org/grpc"

	"github.com/verdictpdp/verdict/engine/server/status"
)

// A message that cannot be read, invalid UTF-8 in a string for example, is the
// caller's mistake. grpc-go answers it with INTERNAL from within RecvMsg, where
// no interceptor can change it. So messages are received into an envelope,
// which the codec fills or marks as malformed, and never fails.

// An envelope is a message to be received, and why it cannot be read.
type envelope struct {
	message   any
	malformed error
}

// reportingStream receives messages in envelopes.
type reportingStream struct {
	grpc.ServerStream
}

func (s reportingStream) RecvMsg(message any) error {
	e := envelope{message: message}
	if err := s.ServerStream.RecvMsg(&e); err != nil {
		return err
	}
	return e.malformed
}

// reporting registers services whose methods with one request receive it in an
// envelope. Streams do by reportingStream.
type reporting struct {
	*grpc.Server
}

func (r reporting) RegisterService(service *grpc.ServiceDesc, implementation any) {
	wrapped := *service
	wrapped.Methods = make([]grpc.MethodDesc, len(service.Methods))
	for i, method := range service.Methods {
		wrapped.Methods[i] = grpc.MethodDesc{MethodName: method.MethodName, Handler: receiveEnveloped(method.Handler)}
	}
	r.Server.RegisterService(&wrapped, implementation)
}

func receiveEnveloped(handle grpc.MethodHandler) grpc.MethodHandler {
	return func(server any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		return handle(server, ctx, func(message any) error {
			e := envelope{message: message}
			if err := receive(&e); err != nil {
				return err
			}
			if e.malformed != nil { // no interceptor sees this one
				return status.Of(e.malformed, "").GRPC().Err()
			}
			return nil
		}, interceptor)
	}
}
