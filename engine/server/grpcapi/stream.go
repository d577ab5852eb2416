package grpcapi

import (
	"context"
	"errors"
	"io"
	"sync"

	"google.golang.org/grpc"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// maxUnderWay is how many requests of one stream are decided at a time.
const maxUnderWay = 64

func (s *accessServer) StreamCheckAccess(stream grpc.BidiStreamingServer[verdictv1.StreamCheckAccessRequest, verdictv1.StreamCheckAccessResponse]) error {
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
	stream grpc.BidiStreamingServer[verdictv1.StreamCheckAccessRequest, verdictv1.StreamCheckAccessResponse]
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
		message, err := c.stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case c.slots <- struct{}{}:
		case <-c.ctx.Done():
			return context.Cause(c.ctx)
		}
		go func() {
			defer func() { <-c.slots }()
			c.answer(message)
		}()
	}
}

// finish waits for the answers under way and lets no other begin.
func (c *conversation) finish() {
	for range cap(c.slots) {
		c.slots <- struct{}{}
	}
}

func (c *conversation) answer(message *verdictv1.StreamCheckAccessRequest) {
	answer := &verdictv1.StreamCheckAccessResponse{Id: message.GetId(), Response: c.decide(message.GetRequest())}
	c.sending.Lock()
	defer c.sending.Unlock()
	if err := c.stream.Send(answer); err != nil {
		c.cancel(err)
	}
}

// decide answers whatever happens: a panic here would be in a goroutine that no
// interceptor covers.
func (c *conversation) decide(message *verdictv1.CheckAccessRequest) (response *verdictv1.CheckAccessResponse) {
	const method = verdictv1.AccessService_StreamCheckAccess_FullMethodName
	defer func() {
		if cause := recover(); cause != nil {
			response = c.server.refuse(method, c.server.guard.panicked(method, cause))
		}
	}()
	response, err := c.server.CheckAccess(c.ctx, message)
	if err != nil {
		return c.server.refuse(method, err)
	}
	return response
}
