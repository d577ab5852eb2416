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
	// unpacking is asked before the message is read.
	unpacking unpacking
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
	e := Envelope{Message: message, unpacking: unpacking{ctx: s.Context(), ask: s.Unpack}}
	defer e.unpacking.end()
	if err := s.ServerStream.RecvMsg(&e); err != nil {
		return err
	}
	if measured, is := message.(Measured); is {
		measured.Measure(e.unpacking.bytes)
	}
	return e.Malformed
}

// A Measured message is told in how many bytes it came on a Stream.
type Measured interface{ Measure(bytes int) }

// An unpacking is one of a message, which takes many times its bytes.
type unpacking struct {
	ctx     context.Context
	ask     func(ctx context.Context, bytes int) (release func(), err error) // nil where nothing is
	release func()
	bytes   int
}

// begin asks whether a message of so many bytes may be read. Its error is why it is not.
func (u *unpacking) begin(bytes int) (err error) {
	u.bytes = bytes
	if u.ask != nil {
		u.release, err = u.ask(u.ctx, bytes)
	}
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
	// full name. Its error, a status, ends the call unread. Nil lets every call go on.
	Enter func(ctx context.Context, method string) error
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

func entered(handle grpc.MethodHandler, method string, enter func(context.Context, string) error) grpc.MethodHandler {
	return func(server any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		if err := enter(ctx, method); err != nil {
			return nil, err
		}
		return handle(server, ctx, receive, interceptor)
	}
}

func (r Registrar) receiveEnveloped(handle grpc.MethodHandler) grpc.MethodHandler {
	return func(server any, ctx context.Context, receive func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		deepenToReceive(false)
		e := Envelope{unpacking: unpacking{ctx: ctx, ask: r.Unpack}}
		defer e.unpacking.end()
		return handle(server, ctx, func(message any) error {
			e.Message = message
			if err := receive(&e); err != nil {
				return err
			}
			if e.Malformed != nil { // no interceptor sees this one
				return status.Of(e.Malformed, "").GRPC().Err()
			}
			deepen(false)
			return nil
		}, interceptor)
	}
}
