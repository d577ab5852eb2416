package grpcapi

import (
	"context"
	"errors"

	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// Streams last: what their callers may do, and for how long they have shown who they
// are, is held against each message, in either direction, and what waits for a message
// ends when that does.

// An admittedStream lets messages through that its caller may send or be sent.
type admittedStream struct {
	announcing
	ctx    context.Context
	door   *door
	method string
	// tenant is the one that the first message has named, to which all that it leads to
	// belongs.
	tenant string
	begun  bool
}

// Context has the caller, and ends with what it has shown.
func (s *admittedStream) Context() context.Context { return s.ctx }

// RecvMsg receives a message that the caller may send. One of several on a stream that
// is each by itself is refused by itself.
func (s *admittedStream) RecvMsg(message any) error {
	if err := s.receive(message); err != nil {
		return err
	}
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if q, is := message.(*streamQuestion); is {
		if err := s.door.admit(s.ctx, s.method, q); err != nil && q.refused == nil {
			q.refused = err
		}
		return nil
	}
	if !s.begun {
		s.tenant, s.begun = tenantIn(message), true
	}
	return s.door.admitIn(s.ctx, s.method, s.tenant)
}

// receive waits for a message, for as long as the stream's context lasts. Who waits for
// questions looks at that by itself.
func (s *admittedStream) receive(message any) error {
	if _, is := message.(*streamQuestion); is || caller.From(s.ctx).Until.IsZero() {
		return s.announcing.RecvMsg(message)
	}
	received := make(chan error, 1)
	go func() { received <- s.received(message) }()
	select {
	case err := <-received:
		return err
	case <-s.ctx.Done(): // the call ends, and with it the waiting
		return context.Cause(s.ctx)
	}
}

// received receives a message where no interceptor covers a panic.
func (s *admittedStream) received(message any) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = s.guard.panicked(s.method, cause)
		}
	}()
	return s.announcing.RecvMsg(message)
}

// SendMsg sends a message that the caller may be sent. Answers to what was admitted by
// itself go as they are.
func (s *admittedStream) SendMsg(message any) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	if _, is := message.(wire.Answer); !is && s.begun {
		if err := s.door.admitIn(s.ctx, s.method, s.tenant); err != nil {
			return err
		}
	}
	return s.announcing.SendMsg(message)
}

// untilExpiry is a context that ends with what its caller has shown.
func untilExpiry(ctx context.Context) (context.Context, context.CancelFunc) {
	c := caller.From(ctx)
	if c.Until.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadlineCause(ctx, c.Until, expiry{caller.Expired(c)})
}

// An expiry is the end of what a caller has shown.
type expiry struct{ error }

func (e expiry) Unwrap() error { return e.error }

// ofExpiry is the error of a stream, which is the expiry where that has ended it.
func ofExpiry(ctx context.Context, err error) error {
	var expired expiry
	if err != nil && errors.As(context.Cause(ctx), &expired) {
		return expired.error
	}
	return err
}
