package pep

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
)

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
	// stream. Where there is no Open, it can send no message and no header before a
	// message of the caller was allowed; it runs all the same, so what it does before
	// it receives is not checked, and what it sets as header or trailer goes out with
	// the refusal. Its context has the decision about the latest message.
	Message func(ctx context.Context, message any) (authz.Request, error)
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
			admitted, refusal := e.admit(stream.Context(), info.FullMethod, rule.opening(stream.Context()))
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

// StreamClientInterceptor lets streams of others go out that are allowed, and
// messages on them. The first message that is not allowed is not sent, and ends
// the stream.
func (e *Enforcer) StreamClientInterceptor(streams Streams) grpc.StreamClientInterceptor {
	return func(ctx context.Context, description *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
		if e.unchecked[method] {
			return open(ctx, description, conn, method, options...)
		}
		rule := streams[method]
		if rule.Open != nil || rule.Message == nil {
			admitted, refusal := e.admit(ctx, method, rule.opening(ctx))
			if refusal != nil {
				return nil, e.statusOf(ctx, refusal)
			}
			ctx = admitted
		}
		ctx, cancel := context.WithCancel(ctx)
		stream, err := open(ctx, description, conn, method, options...)
		if err != nil {
			cancel()
			return nil, err
		}
		// gRPC cancels a stream's context when the stream ends.
		context.AfterFunc(stream.Context(), cancel)
		return &askingStream{ClientStream: stream, enforcer: e, method: method, rule: rule, cancel: cancel}, nil
	}
}

// An askingStream is what a caller sees of a stream.
type askingStream struct {
	grpc.ClientStream
	enforcer *Enforcer
	method   string
	rule     Stream
	cancel   context.CancelFunc

	mu      sync.Mutex
	refused error
}

func (s *askingStream) SendMsg(message any) error {
	if s.rule.Message == nil {
		return s.ClientStream.SendMsg(message)
	}
	ctx := s.ClientStream.Context()
	_, refusal := s.enforcer.admit(ctx, s.method, func() (authz.Request, error) { return s.rule.Message(ctx, message) })
	if refusal == nil {
		return s.ClientStream.SendMsg(message)
	}
	s.mu.Lock()
	s.refused = s.enforcer.statusOf(ctx, refusal)
	s.mu.Unlock()
	s.cancel()
	return s.refusal()
}

// RecvMsg says why a stream ended that was refused: gRPC knows only that it was
// canceled.
func (s *askingStream) RecvMsg(message any) error {
	err := s.ClientStream.RecvMsg(message)
	if refused := s.refusal(); err != nil && refused != nil {
		return refused
	}
	return err
}

func (s *askingStream) refusal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// opening is what makes the request of a stream that is opened, or nil.
func (s Stream) opening(ctx context.Context) func() (authz.Request, error) {
	if s.Open == nil {
		return nil
	}
	return func() (authz.Request, error) { return s.Open(ctx) }
}
