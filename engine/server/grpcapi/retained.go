package grpcapi

import (
	"sync/atomic"
	"time"
)

// A retained counts what gRPC keeps of calls that are refused where their headers come:
// a timer with the call's context, some kilobyte, until the call's deadline. Where that
// would be too much, or for too long, a call is refused later, which takes longer.
type retained struct {
	total atomic.Int64
	// until has how many are kept until the end of a step, in a ring.
	until [retainedSteps + 1]atomic.Int64
	step  atomic.Int64 // the one that it is
}

const (
	// maxRetained comes to some 40 MB.
	maxRetained = 32_768
	// A call that may take longer than retainedSteps is not kept.
	retainedStep  = 100 * time.Millisecond
	retainedSteps = 60
)

// keep notes one that is kept for a time, if it may be.
func (r *retained) keep(now time.Time, remaining time.Duration) bool {
	step := now.UnixNano() / int64(retainedStep)
	for before := r.step.Load(); before < step; before = r.step.Load() {
		if !r.step.CompareAndSwap(before, step) {
			continue
		}
		for passed := max(before, step-int64(len(r.until))); passed < step; passed++ {
			r.total.Add(-r.until[passed%int64(len(r.until))].Swap(0))
		}
	}
	steps := int64(remaining/retainedStep) + 1
	if steps > retainedSteps || r.total.Load() >= maxRetained {
		return false
	}
	r.total.Add(1)
	r.until[(step+steps)%int64(len(r.until))].Add(1)
	return true
}
