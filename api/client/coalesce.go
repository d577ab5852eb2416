package client

import (
	"context"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// Coalescing bounds what is gathered into one batch. A zero member means its
// default.
type Coalescing struct {
	// Items is how many checks a batch has at most; 0 means 100, and MaxBatch is
	// the most.
	Items int
	// Bytes is how large the requests of a batch are together at most; 0 means
	// 128 KiB. A larger request goes alone.
	Bytes int
	// Wait is how long a check waits for others at most; 0 means 1 ms. It waits
	// only while another of its tenant and consistency is under way.
	Wait time.Duration
}

const (
	defaultItems = 100
	defaultBytes = 128 << 10
	defaultWait  = time.Millisecond
)

// An asker makes the calls. verdictv1.AccessServiceClient is one.
type asker interface {
	CheckAccess(ctx context.Context, in *verdictv1.CheckAccessRequest, opts ...grpc.CallOption) (*verdictv1.CheckAccessResponse, error)
	BatchCheckAccess(ctx context.Context, in *verdictv1.BatchCheckAccessRequest, opts ...grpc.CallOption) (*verdictv1.BatchCheckAccessResponse, error)
}

// A coalescer gathers checks that are under way at a time into batches.
type coalescer struct {
	asker  asker
	bounds Coalescing
	// again is spent on checks that are asked alone after their batch.
	again budget
	// calls are the batches under way; end ends them.
	calls   sync.WaitGroup
	running context.Context
	end     context.CancelFunc

	mu     sync.Mutex
	closed bool
	lanes  map[lane]*traffic
}

// A lane is what the checks of a batch have in common.
type lane struct {
	tenant         string
	atLeast, exact uint64
}

// The traffic of a lane. Where no call is under way, no question waits.
type traffic struct {
	// underWay is how many calls have not been answered yet.
	underWay int
	// waiting are the questions of the next batch, with their size, and timer is
	// what sends it if nothing else does.
	waiting []*question
	bytes   int
	timer   *time.Timer
}

// A question is a check that goes with others.
type question struct {
	message  *verdictv1.CheckAccessRequest
	deadline time.Time
	size     int
	// call is the batch that the question is in, once it is in one.
	call *call
	// answered is closed when the answer is there.
	answered chan struct{}
	response *verdictv1.CheckAccessResponse
	err      error
	// alone says that the question is to be asked again, by itself.
	alone bool
}

// A call is a batch on its way.
type call struct {
	cancel context.CancelFunc
	// awaited is how many of its questions somebody still waits for.
	awaited int
}

func newCoalescer(asker asker, bounds Coalescing) *coalescer {
	running, end := context.WithCancel(context.Background())
	return &coalescer{
		asker: asker, bounds: bounds, again: newBudget(), running: running, end: end,
		lanes: map[lane]*traffic{},
	}
}

// check asks one question of a size, which must have a deadline. Errors are
// statuses, the context's own, or errClosed.
func (c *coalescer) check(ctx context.Context, message *verdictv1.CheckAccessRequest, size int) (*verdictv1.CheckAccessResponse, error) {
	if size > c.bounds.Bytes {
		return c.asker.CheckAccess(ctx, message)
	}
	key := lane{message.GetTenant(), message.GetConsistency().GetAtLeast(), message.GetConsistency().GetExact()}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, errClosed
	}
	t := c.lanes[key]
	if t == nil {
		t = &traffic{}
		c.lanes[key] = t
	}
	if t.underWay == 0 {
		t.underWay++
		c.mu.Unlock()
		defer c.done(key, t)
		return c.asker.CheckAccess(ctx, message)
	}
	deadline, _ := ctx.Deadline()
	q := &question{message: message, deadline: deadline, size: size, answered: make(chan struct{})}
	c.join(key, t, q)
	c.mu.Unlock()

	select {
	case <-q.answered:
	case <-ctx.Done():
		c.leave(t, q)
		return nil, ctx.Err()
	}
	if q.alone {
		return c.asker.CheckAccess(ctx, message)
	}
	return q.response, q.err
}

// join has a question wait, and sends what waits when that is enough. c.mu is
// held.
func (c *coalescer) join(key lane, t *traffic, q *question) {
	if t.bytes+q.size > c.bounds.Bytes {
		c.send(key, t)
	}
	t.waiting = append(t.waiting, q)
	t.bytes += q.size
	switch {
	case len(t.waiting) >= c.bounds.Items:
		c.send(key, t)
	case t.timer == nil:
		var timer *time.Timer
		timer = time.AfterFunc(c.bounds.Wait, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if t.timer == timer {
				c.send(key, t)
			}
		})
		t.timer = timer
	}
}

// leave takes away a question that nobody waits for any more: from those that
// wait, or from its batch, which ends when it was the last.
func (c *coalescer) leave(t *traffic, q *question) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.call != nil {
		if q.call.awaited--; q.call.awaited == 0 {
			q.call.cancel()
		}
		return
	}
	if i := slices.Index(t.waiting, q); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		t.bytes -= q.size
	}
	if len(t.waiting) == 0 {
		t.stopTimer()
	}
}

// send puts what waits on its way. c.mu is held.
func (c *coalescer) send(key lane, t *traffic) {
	t.stopTimer()
	questions := t.waiting
	t.waiting, t.bytes = nil, 0
	if len(questions) == 0 {
		return
	}
	t.underWay++
	latest := slices.MaxFunc(questions, func(a, b *question) int { return a.deadline.Compare(b.deadline) }).deadline
	ctx, cancel := context.WithDeadline(c.running, latest)
	sent := &call{cancel: cancel, awaited: len(questions)}
	for _, q := range questions {
		q.call = sent
	}
	c.calls.Go(func() {
		defer cancel()
		c.ask(ctx, questions)
		// Those who were answered often ask on at once: let them join what goes next.
		runtime.Gosched()
		c.done(key, t)
	})
}

// done notes that a call is over. What has gathered goes when it was the last:
// what goes sooner goes in smaller batches. See "Go client" in
// benchmarks/transport.
func (c *coalescer) done(key lane, t *traffic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.underWay--
	if t.underWay > 0 {
		return
	}
	if !c.closed {
		c.send(key, t)
	}
	if t.underWay == 0 {
		delete(c.lanes, key)
	}
}

func (t *traffic) stopTimer() {
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

// ask asks the questions in one call and answers them.
func (c *coalescer) ask(ctx context.Context, questions []*question) {
	responses, err := c.call(ctx, questions)
	for i, q := range questions {
		if err != nil {
			q.err = err
			q.alone = len(questions) > 1 && mayBeOfOne(err) && c.again.spend()
		} else {
			q.response = responses[i]
			q.alone = len(questions) > 1 && cutShort(q.response) && c.again.spend()
			c.again.earn()
		}
		close(q.answered)
	}
}

// call is the answers to questions. A panic, of what the application put into the
// connection, is an error of the batch: asked alone, it comes up in the goroutine of
// who asks.
func (c *coalescer) call(ctx context.Context, questions []*question) (responses []*verdictv1.CheckAccessResponse, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = status.Errorf(codes.Internal, "panic: %v\n%s", value, debug.Stack())
		}
	}()
	first := questions[0].message
	if len(questions) == 1 {
		response, err := c.asker.CheckAccess(ctx, first)
		return []*verdictv1.CheckAccessResponse{response}, err
	}
	message := &verdictv1.BatchCheckAccessRequest{
		Tenant:      first.GetTenant(),
		Consistency: first.GetConsistency(),
		Items:       make([]*verdictv1.BatchCheckAccessItem, len(questions)),
	}
	for i, q := range questions {
		message.Items[i] = &verdictv1.BatchCheckAccessItem{
			Subject: q.message.GetSubject(), Action: q.message.GetAction(),
			Resource: q.message.GetResource(), Context: q.message.GetContext(),
		}
	}
	response, err := c.asker.BatchCheckAccess(ctx, message)
	if err == nil {
		err = complete(response, len(questions), ExecuteAll)
	}
	return response.GetResponses(), err
}

// mayBeOfOne is whether a batch may have failed for what one of its items is, so
// that the others must not be told. What a batch fails for otherwise, such as an
// unknown tenant or a server that is gone, each item alone would fail for too.
func mayBeOfOne(err error) bool {
	switch status.Code(err) {
	case codes.ResourceExhausted:
		_, overloaded := overload(err)
		return !overloaded
	case codes.InvalidArgument, codes.Internal:
		return true
	default:
		return false
	}
}

// cutShort is whether an item of a batch reached a limit, which may be the time
// of the batch, used up by those before it.
func cutShort(response *verdictv1.CheckAccessResponse) bool {
	return response.GetError().GetKind() == verdictv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED
}

// close ends the batches, answers what waits with errClosed, and returns when
// nothing runs any more.
func (c *coalescer) close() {
	c.mu.Lock()
	c.closed = true
	for _, t := range c.lanes {
		t.stopTimer()
		for _, q := range t.waiting {
			q.err = errClosed
			close(q.answered)
		}
		t.waiting, t.bytes = nil, 0
	}
	c.mu.Unlock()
	c.end()
	c.calls.Wait()
}

// hasMetadata is whether a call has metadata of its own, such as who traces it,
// which no batch could carry.
func hasMetadata(ctx context.Context) bool {
	md, _ := metadata.FromOutgoingContext(ctx)
	return len(md) > 0
}
