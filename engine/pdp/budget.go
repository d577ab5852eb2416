package pdp

import (
	"context"
	"sync"
	"time"
)

// A budget is a context that ends when the evaluation's time is over, besides
// when the caller's does.
//
// Evaluators ask a context now and then whether it has ended, and seldom wait
// for it. So a budget looks at the clock when asked, and arms a timer only once
// something waits: a built-in that a tenant turned on and that reaches the
// network. Compare BenchmarkBudget with BenchmarkContextWithTimeout.
type budget struct {
	context.Context
	deadline time.Time

	mu     sync.Mutex
	timed  context.Context // nil until something waits
	cancel context.CancelFunc
}

func newBudget(ctx context.Context, deadline time.Time) *budget {
	return &budget{Context: ctx, deadline: deadline}
}

// Deadline is the earlier one of the caller's and the evaluation's.
func (b *budget) Deadline() (time.Time, bool) {
	if callers, bounded := b.Context.Deadline(); bounded && callers.Before(b.deadline) {
		return callers, true
	}
	return b.deadline, true
}

// Err reports the end as soon as there is one, be Done closed or not.
func (b *budget) Err() error {
	if err := b.Context.Err(); err != nil {
		return err
	}
	if time.Until(b.deadline) <= 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// Done is closed at the end.
func (b *budget) Done() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timed == nil {
		b.timed, b.cancel = context.WithDeadline(b.Context, b.deadline)
	}
	return b.timed.Done()
}

// release frees the timer, if one was armed.
func (b *budget) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cancel != nil {
		b.cancel()
	}
}
