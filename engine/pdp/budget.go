package pdp

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A budget is a context that ends when the evaluation's time is over, besides
// when the caller's does.
//
// Evaluators ask a context now and then whether it has ended, and seldom wait
// for it. So a budget looks at the clock when asked, and arms a timer only once
// something waits: a built-in that a tenant turned on and that reaches the
// network. Compare BenchmarkBudget with BenchmarkContextWithTimeout.
//
// Between two looks pass some ten microseconds, or the turns of a few other goroutines,
// which are some ten milliseconds each. Where it was much longer, the process was kept
// from the processor, by others or by the quota of its cgroup, which is no fault of the
// policy's: that does not count, up to the whole time once more.
// So what has a bound in time ends within twice that, and a built-in that takes long
// all by itself gets no more.
type budget struct {
	context.Context
	start  time.Time
	within time.Duration
	// looked is when the clock was looked at last, since the start, and stalled how much
	// of the time does not count, in nanoseconds.
	looked, stalled atomic.Int64

	mu     sync.Mutex
	timed  atomic.Pointer[context.Context] // nil until something waits
	cancel context.CancelFunc
}

// stall is a time between two looks at the clock in which something else ran.
const stall = 50 * time.Millisecond

func newBudget(ctx context.Context, start time.Time, within time.Duration) *budget {
	return &budget{Context: ctx, start: start, within: within}
}

// Deadline is the earlier one of the caller's and the evaluation's.
func (b *budget) Deadline() (time.Time, bool) {
	own := b.start.Add(b.within + time.Duration(b.stalled.Load()))
	if callers, bounded := b.Context.Deadline(); bounded && callers.Before(own) {
		return callers, true
	}
	return own, true
}

// Err reports the end as soon as there is one, be Done closed or not. It reports one
// whenever Done is closed, stalled or not: the contexts below panic where it does not.
func (b *budget) Err() error {
	if err := b.Context.Err(); err != nil {
		return err
	}
	if timed := b.timed.Load(); timed != nil {
		if err := (*timed).Err(); err != nil {
			return err
		}
	}
	spent := time.Since(b.start)
	if gap := spent - time.Duration(b.looked.Swap(int64(spent))); gap > stall {
		b.stalled.Store(min(b.stalled.Load()+int64(gap), int64(b.within)))
	}
	if spent-time.Duration(b.stalled.Load()) >= b.within {
		return context.DeadlineExceeded
	}
	return nil
}

// Done is closed at the end.
func (b *budget) Done() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	timed := b.timed.Load()
	if timed == nil {
		own, _ := b.Deadline()
		timed = new(context.Context)
		*timed, b.cancel = context.WithDeadline(b.Context, own)
		b.timed.Store(timed)
	}
	return (*timed).Done()
}

// release frees the timer, if one was armed.
func (b *budget) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cancel != nil {
		b.cancel()
	}
}
