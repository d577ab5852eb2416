package grpcapi

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// maxUnderWay is how many requests of one stream are decided at a time.
const maxUnderWay = 64

func (s *accessServer) streamCheckAccess(stream grpc.ServerStream) error {
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	c := &conversation{
		server: s,
		stream: stream,
		ctx:    ctx,
		cancel: cancel,
		slots:  make(chan struct{}, maxUnderWay),
	}
	ended := make(chan error, 1)
	go func() { ended <- c.listen() }()

	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-s.closing.Done():
		err = errClosing
	}
	c.finish()
	return err
}

// A conversation is one stream of requests and answers.
type conversation struct {
	server *accessServer
	stream grpc.ServerStream
	ctx    context.Context
	cancel context.CancelCauseFunc
	// slots holds one element for each request under way.
	slots chan struct{}
	// sending orders the answers: a stream takes one message at a time.
	sending sync.Mutex
}

// listen starts an answer to each request, until the caller has sent the last.
// While all slots are taken, it does not read, which holds the caller back.
func (c *conversation) listen() error {
	for {
		q := new(streamQuestion)
		err := c.stream.RecvMsg(q)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		release := c.keep(q)
		select {
		case c.slots <- struct{}{}:
		case <-c.ctx.Done():
			release()
			return context.Cause(c.ctx)
		}
		go func() {
			defer func() { <-c.slots }()
			defer release()
			c.answer(q)
		}()
	}
}

// waitingBytes is what a question takes that waits for its revision, besides what it says:
// a goroutine, mostly.
const waitingBytes = 32 << 10

// keep has the intake know of a question until it is answered, if it takes much, or may
// take long.
func (c *conversation) keep(q *streamQuestion) (release func()) {
	bytes := q.bytes
	if q.options.Consistency.AtLeast > 0 {
		bytes += waitingBytes
	}
	if bytes <= smallBytes {
		return func() {}
	}
	return c.server.guard.intake.Keep(c.ctx, bytes)
}

// finish waits for the answers under way and lets no other begin.
func (c *conversation) finish() {
	for range cap(c.slots) {
		c.slots <- struct{}{}
	}
}

const (
	answerID       = 1<<wire.NumberShift | wire.DelimitedField
	answerResponse = 2<<wire.NumberShift | wire.DelimitedField
)

func (c *conversation) answer(q *streamQuestion) {
	data, start := begin(appendText(nil, answerID, q.id), answerResponse)
	answered, err := c.appendAnswer(data, &q.question)
	if err != nil {
		answered, err = appendGenerated(data, c.server.refuse(streamMethod, err))
	}
	if err != nil {
		c.cancel(err)
		return
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	if err := c.stream.SendMsg(wire.Answer{mem.SliceBuffer(finish(answered, start))}); err != nil {
		c.cancel(err)
	}
}

const streamMethod = verdictv1.AccessService_StreamCheckAccess_FullMethodName

// appendAnswer makes an error of a panic, which would be in a goroutine that no
// interceptor covers.
func (c *conversation) appendAnswer(data []byte, q *question) (answered []byte, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = c.server.guard.panicked(streamMethod, cause)
		}
	}()
	call, err := c.server.counted.Arrive(c.server.counted.Of(q.request.Tenant), false)
	if err != nil {
		return data, err
	}
	defer call.Leave()
	return c.server.appendAnswer(c.ctx, data, q)
}
