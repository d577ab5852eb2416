package pep

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
)

// Methods are the functions that make requests of calls, by the full name of the
// method, such as /shop.v1.Orders/GetOrder. message is what the caller sent.
type Methods map[string]func(ctx context.Context, message any) (authz.Request, error)

// Streams are the functions that make requests of streams, by the full name of
// the method.
type Streams map[string]Stream

// A Stream says what is asked about a stream. A stream without either function is
// refused.
type Stream struct {
	// Open makes the request of a stream before its handler runs, of its metadata
	// alone. The decision holds for as long as the stream is open.
	Open func(ctx context.Context) (authz.Request, error)
	// Message makes a request of each message that the handler is to receive. The
	// handler is given none that is not allowed, and the first that is not ends the
	// stream. Where there is no Open, it can send nothing before a message of the
	// caller was allowed; it runs all the same, so what it does before it receives
	// is not checked. Its context has the decision about the latest message.
	Message func(ctx context.Context, message any) (authz.Request, error)
}

// UnaryServerInterceptor lets a server's handlers run for what is allowed.
func (e *Enforcer) UnaryServerInterceptor(methods Methods) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, message any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		ctx, err := e.unary(ctx, methods, info.FullMethod, message)
		if err != nil {
			return nil, err
		}
		return handle(ctx, message)
	}
}

// UnaryClientInterceptor lets calls of others go out that are allowed.
func (e *Enforcer) UnaryClientInterceptor(methods Methods) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, message, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		ctx, err := e.unary(ctx, methods, method, message)
		if err != nil {
			return err
		}
		return invoke(ctx, method, message, reply, conn, options...)
	}
}

func (e *Enforcer) unary(ctx context.Context, methods Methods, method string, message any) (context.Context, error) {
	if e.unchecked[method] {
		return ctx, nil
	}
	var ask func() (authz.Request, error)
	if requestOf := methods[method]; requestOf != nil {
		ask = func() (authz.Request, error) { return requestOf(ctx, message) }
	}
	admitted, refusal := e.admit(ctx, method, ask)
	if refusal != nil {
		return nil, e.statusOf(ctx, refusal)
	}
	return admitted, nil
}

// StreamServerInterceptor lets a server's handlers run for streams that are
// allowed, and receive the messages that are.
func (e *Enforcer) StreamServerInterceptor(streams Streams) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		if e.unchecked[info.FullMethod] {
			return handle(server, stream)
		}
		rule := streams[info.FullMethod]
		checked := &checkedStream{ServerStream: stream, enforcer: e, method: info.FullMethod, rule: rule, ctx: stream.Context()}
		if rule.Open != nil || rule.Message == nil {
			var ask func() (authz.Request, error)
			if rule.Open != nil {
				ask = func() (authz.Request, error) { return rule.Open(stream.Context()) }
			}
			admitted, refusal := e.admit(stream.Context(), info.FullMethod, ask)
			if refusal != nil {
				return e.statusOf(stream.Context(), refusal)
			}
			checked.ctx, checked.admitted = admitted, true
		}
		err := handle(server, checked)
		if refused := checked.refusal(); refused != nil {
			return refused // whatever the handler makes of it
		}
		return err
	}
}

// A checkedStream is what a handler sees of a stream.
type checkedStream struct {
	grpc.ServerStream
	enforcer *Enforcer
	method   string
	rule     Stream

	mu sync.Mutex
	// ctx has the latest decision.
	ctx context.Context
	// admitted is whether anything was allowed yet, and refused the status of what
	// was not.
	admitted bool
	refused  error
}

func (s *checkedStream) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx
}

func (s *checkedStream) refusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *checkedStream) RecvMsg(message any) error {
	if err := s.refusal(); err != nil {
		return err
	}
	if err := s.ServerStream.RecvMsg(message); err != nil || s.rule.Message == nil {
		return err
	}
	ctx := s.ServerStream.Context()
	admitted, refusal := s.enforcer.admit(ctx, s.method, func() (authz.Request, error) { return s.rule.Message(ctx, message) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if refusal != nil {
		s.refused = s.enforcer.statusOf(ctx, refusal)
		if m, is := message.(proto.Message); is {
			proto.Reset(m) // for a handler that does not look at the error
		}
		return s.refused
	}
	s.ctx, s.admitted = admitted, true
	return nil
}

// mayAnswer is the error of an answer to what is not allowed, or not yet.
func (s *checkedStream) mayAnswer() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil && !s.admitted {
		refusal := &Refusal{Err: ErrNoRequest}
		s.enforcer.notice(s.ctx, refusal)
		s.refused = s.enforcer.statusOf(s.ctx, refusal)
	}
	return s.refused
}

func (s *checkedStream) SendMsg(message any) error {
	if err := s.mayAnswer(); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(message)
}

func (s *checkedStream) SendHeader(header metadata.MD) error {
	if err := s.mayAnswer(); err != nil {
		return err
	}
	return s.ServerStream.SendHeader(header)
}

// statusOf is the status of a refusal, which is never OK.
func (e *Enforcer) statusOf(ctx context.Context, refusal *Refusal) error {
	st := e.status(ctx, refusal)
	if st.Code() == codes.OK {
		st = status.New(codes.PermissionDenied, refusal.Public())
	}
	return st.Err()
}

func defaultStatus(_ context.Context, refusal *Refusal) *status.Status {
	if refusal.Undecided() {
		return status.New(codes.Unavailable, refusal.Public())
	}
	return status.New(codes.PermissionDenied, refusal.Public())
}
