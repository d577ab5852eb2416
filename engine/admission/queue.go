package admission

import (
	"container/heap"
	"slices"
	"time"
)

// A queue is the work of one class that waits, fairly between tenants: each has a
// flow, and the flow goes first that has had the least, measured in time and divided
// by its weight. A flow that was idle begins where the others are, so that nobody saves
// up. The fields are under the lock of the Turns.
type queue struct {
	flows   map[string]*flow
	weights map[string]int
	active  flowHeap // those in which somebody waits
	count   int      // who wait
	most    int      // of one flow
	// now is the time of the flows: the start of the one that was last served.
	now float64
	// used is what the class has had, divided by its weight.
	used, weight float64
	// stale is how long one of a flow that is standing may have waited.
	stale time.Duration
	// usual is what a turn takes, about, in seconds.
	usual float64
}

func newQueue(weight float64, most int, stale time.Duration, weights map[string]int) queue {
	const firstGuess = 50e-6
	return queue{flows: map[string]*flow{}, weights: weights, most: most, weight: weight, stale: stale, usual: firstGuess}
}

// A flow is the work of one tenant.
type flow struct {
	queue   *queue
	weight  float64
	waiting []*waiter
	// since is from when on somebody waits.
	since time.Time
	// start is what the tenant has had, as the heap orders it.
	start float64
	index int // in the heap
}

// A waiter waits for its turn. What it is granted is there when the channel is closed.
type waiter struct {
	since time.Time
	// begun says that it is in the middle of its work, and not refused.
	begun   bool
	granted chan struct{}
	turn    Turn
	err     error
}

func (w *waiter) isGranted() bool {
	select {
	case <-w.granted:
		return true
	default:
		return false
	}
}

// flow is a tenant's. Tenants are those that are served, so there are not many.
func (q *queue) flow(tenant string) *flow {
	f := q.flows[tenant]
	if f == nil {
		f = &flow{queue: q, weight: float64(max(1, q.weights[tenant]))}
		q.flows[tenant] = f
	}
	return f
}

// expected is how long one who comes now will wait, if so many turns are worked on at
// a time: what the flow has before it, while others have their shares.
func (q *queue) expected(f *flow, turns int64) time.Duration {
	weights := f.weight
	for _, other := range q.active {
		if other != f {
			weights += other.weight
		}
	}
	ahead := min(float64(len(f.waiting))*weights/f.weight, float64(q.count))
	return time.Duration(ahead * q.usual / float64(turns) * float64(time.Second))
}

func (q *queue) join(f *flow, w *waiter) {
	q.count++
	f.waiting = append(f.waiting, w)
	if len(f.waiting) == 1 {
		f.since = w.since
		f.start = max(f.start, q.now)
		heap.Push(&q.active, f)
	}
}

// leave takes out one who no longer waits.
func (q *queue) leave(f *flow, w *waiter) {
	q.count--
	f.waiting = slices.DeleteFunc(f.waiting, func(other *waiter) bool { return other == w })
	if len(f.waiting) == 0 {
		heap.Remove(&q.active, f.index)
	}
}

// take takes out who is next, and refuses those before who have waited too long. It
// is nil where none is left.
func (q *queue) take(now time.Time) (*flow, *waiter) {
	for q.count > 0 {
		f := q.active[0]
		w := f.waiting[0]
		q.count--
		f.waiting[0] = nil
		if f.waiting = f.waiting[1:]; len(f.waiting) == 0 {
			f.waiting = nil
			heap.Pop(&q.active)
		}
		// The last of a tenant stand in nobody's way.
		if len(f.waiting) >= short && !w.begun && now.Sub(f.since) > standing && now.Sub(w.since) > max(q.stale, time.Duration(q.usual*float64(time.Second))) {
			w.err = overloaded(now.Sub(w.since))
			close(w.granted)
			continue
		}
		q.now = f.start
		f.pay(q.usual)
		return f, w
	}
	return nil, nil
}

// pay has a flow pay for a turn: when it is granted for what turns take, and the rest
// when it is known.
func (f *flow) pay(seconds float64) {
	f.start += seconds / f.weight
	f.queue.used += seconds / f.queue.weight
	if len(f.waiting) > 0 {
		heap.Fix(&f.queue.active, f.index)
	}
}

// settle has it pay what a turn took beyond what was paid.
func (f *flow) settle(took time.Duration, paid float64) {
	const smoothing = 0.05
	f.pay(took.Seconds() - paid)
	f.queue.usual += smoothing * (took.Seconds() - f.queue.usual)
}

// A flowHeap has the flow first that has had the least.
type flowHeap []*flow

func (h flowHeap) Len() int           { return len(h) }
func (h flowHeap) Less(i, j int) bool { return h[i].start < h[j].start }
func (h flowHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].index, h[j].index = i, j }
func (h *flowHeap) Push(f any)        { f.(*flow).index = len(*h); *h = append(*h, f.(*flow)) }
func (h *flowHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
