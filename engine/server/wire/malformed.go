package wire

import (
	"context"

	"google.golang.org/grpc"

	"github.com/verdictpdp/verdict/engine/server/status"
)

// A message that cannot be read, invalid UTF-8 in a string for example, is the
// caller's mistake. grpc-go answers it with INTERNAL from within RecvMsg, where
// no interceptor can change it. So messages are received into an envelope,
// which the codec fills or marks as malformed, and never fails.

// An Envelope is a message to be received, and why it cannot be read.
type Envelope struct {
	Message   any
	Malformed error
}

// A Stream receives messages in envelopes.
type Stream struct {
	grpc.ServerStream
}

// RecvMsg receives a message. An error of kind Invalid or LimitExceeded says why it
// cannot be read.
func (s Stream) RecvMsg(message any) error {
	e := Envelope{Message: message}
	if err := s.ServerStream.RecvMsg(&e); err != nil {
		return err
	}
	return e.Malformed
}

// A Registrar registers services whose methods with one request receive it in an
// envelope. Streams do by Stream.
type Registrar struct {
	*grpc.Server
	// Enter is called before a request of such a method is received, with the method's
	// full name. Its error, a status, ends the call unread; otherwise the call goes on
	// in its context. Nil lets every call go on.
	Enter func(ctx context.Context, method string) (context.Context, error)
}

// RegisterService registers a service.
func (r Registrar) RegisterService(service *grpc.ServiceDesc, implementation any) {
	wrapped := *service
	wrapped.Methods = make([]grpc.MethodDesc, len(service.Methods))
	for i, method := range service.Methods {
		handle := receiveEnveloped(method.Handler)
		if r.Enter != nil {
			handle = entered(handle, "/"+service.ServiceName+"/"+method.MethodName, r.Enter)
		}
		wrapped.Methods[i] = grpc.MethodDesc{MethodName: method.MethodName, Handler: handle}
	}
	r.Server.RegisterService(&wrapped, implementation)
}

func entered(handle grpc.MethodHandler, method string, enter func(context.Context, string) (context.Context, error)) grpc.MethodHandler {
	return func(server any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		ctx, err := enter(ctx, method)
		if err != nil {
			return nil, err
		}
		return handle(server, ctx, receive, interceptor)
	}
}

func receiveEnveloped(handle grpc.MethodHandler) grpc.MethodHandler {
	return func(server any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		return handle(server, ctx, func(message any) error {
			e := Envelope{Message: message}
			if err := receive(&e); err != nil {
				return err
			}
			if e.Malformed != nil { // no interceptor sees this one
				return status.Of(e.Malformed, "").GRPC().Err()
			}
			return nil
		}, interceptor)
	}
}
