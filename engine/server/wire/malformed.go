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
	// Unpack is asked before a message of so many bytes is read, which takes many times
	// as many; nil where nothing is. Its error is why the message is not read.
	Unpack func(bytes int) error
}

// A Stream receives messages in envelopes.
type Stream struct {
	grpc.ServerStream
	// Unpack is asked before a message is read, and what it returns called when it has
	// been; nil where nothing is.
	Unpack func(ctx context.Context, bytes int) (release func(), err error)
}

// RecvMsg receives a message. An error of kind Invalid or LimitExceeded says why it
// cannot be read.
func (s Stream) RecvMsg(message any) error {
	unpacking := unpacking{ctx: s.Context(), ask: s.Unpack}
	defer unpacking.end()
	e := unpacking.envelope(message)
	if err := s.ServerStream.RecvMsg(&e); err != nil {
		return err
	}
	return e.Malformed
}

// An unpacking is one of a message.
type unpacking struct {
	ctx     context.Context
	ask     func(ctx context.Context, bytes int) (release func(), err error)
	release func()
}

func (u *unpacking) envelope(message any) Envelope {
	e := Envelope{Message: message}
	if u.ask != nil {
		e.Unpack = u.begin
	}
	return e
}

func (u *unpacking) begin(bytes int) (err error) {
	u.release, err = u.ask(u.ctx, bytes)
	return err
}

func (u *unpacking) end() {
	if u.release != nil {
		u.release()
	}
}

// A Registrar registers services whose methods with one request receive it in an
// envelope. Streams do by Stream.
type Registrar struct {
	*grpc.Server
	// Enter is called before a request of such a method is received, with the method's
	// full name. Its error, a status, ends the call unread; otherwise the call goes on
	// in its context. Nil lets every call go on.
	Enter func(ctx context.Context, method string) (context.Context, error)
	// Unpack is asked before a request of such a method is read, of so many bytes, and
	// what it returns called once the call is answered. Its error ends the call. Nil
	// where nothing is.
	Unpack func(ctx context.Context, bytes int) (release func(), err error)
}

// RegisterService registers a service.
func (r Registrar) RegisterService(service *grpc.ServiceDesc, implementation any) {
	wrapped := *service
	wrapped.Methods = make([]grpc.MethodDesc, len(service.Methods))
	for i, method := range service.Methods {
		handle := r.receiveEnveloped(method.Handler)
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

func (r Registrar) receiveEnveloped(handle grpc.MethodHandler) grpc.MethodHandler {
	return func(server any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		unpacking := unpacking{ctx: ctx, ask: r.Unpack}
		defer unpacking.end()
		return handle(server, ctx, func(message any) error {
			e := unpacking.envelope(message)
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
