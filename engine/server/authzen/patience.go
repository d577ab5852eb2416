package authzen

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A patience is a context that ends when a request has taken too long, besides when
// its caller gives up.
//
// Few requests wait for anything. So a patience looks at the clock when asked, and
// arms a timer only once something waits. See BenchmarkEvaluation.
type patience struct {
	context.Context
	deadline time.Time

	mu     sync.Mutex
	timed  atomic.Pointer[context.Context] // nil until something waits
	cancel context.CancelFunc
}

func newPatience(ctx context.Context, most time.Duration) *patience {
	return &patience{Context: ctx, deadline: time.Now().Add(most)}
}

// Deadline is the earlier one of the caller's and the request's.
func (p *patience) Deadline() (time.Time, bool) {
	if callers, bounded := p.Context.Deadline(); bounded && callers.Before(p.deadline) {
		return callers, true
	}
	return p.deadline, true
}

// Err reports the end as soon as there is one, be Done closed or not. It reports one
// whenever Done is closed: the contexts below panic where it does not.
func (p *patience) Err() error {
	if err := p.Context.Err(); err != nil {
		return err
	}
	if p.isOver() {
		return context.DeadlineExceeded
	}
	if timed := p.timed.Load(); timed != nil {
		return (*timed).Err()
	}
	return nil
}

func (p *patience) isOver() bool { return time.Until(p.deadline) <= 0 }

// Done is closed at the end.
func (p *patience) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	timed := p.timed.Load()
	if timed == nil {
		timed = new(context.Context)
		*timed, p.cancel = context.WithDeadline(p.Context, p.deadline)
		p.timed.Store(timed)
	}
	return (*timed).Done()
}

// release frees the timer, if one was armed.
func (p *patience) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel()
	}
}
