package admission

import (
	"cmp"
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// Options bound the work that is done at a time. A zero member means its default.
type Options struct {
	// Turns are how many evaluations run at a time; 0 means four a processor: one
	// that reads the disk leaves its processor to others.
	Turns int
	// Long are how many of them may be pieces of long work; 0 means one a processor.
	Long int
	// MaxWait is how long work waits for its turn at most; 0 means DefaultMaxWait.
	MaxWait time.Duration
	// MaxWaiting is how many wait for each tenant at most, and as many again for long
	// work; 0 means DefaultMaxWaiting.
	MaxWaiting int
	// Weights are those of tenants; one that is not there has 1.
	Weights map[string]int
}

const (
	// DefaultMaxWait is how long work waits for its turn.
	DefaultMaxWait = time.Second
	// DefaultMaxWaiting is how many wait for each tenant.
	DefaultMaxWaiting = 4_096
	// turnsPerProcessor keep processors busy while some evaluations wait for the disk.
	turnsPerProcessor = 4
)

// How classes of work share the turns while both wait.
const (
	checkWeight = 8
	longWeight  = 1
)

const (
	// standing is for how long somebody of a tenant waits before those are refused who
	// have waited for longer than stale, or than a turn takes: so those are served who
	// have just come.
	standing = 100 * time.Millisecond
	stale    = 5 * time.Millisecond
	// short is how many may wait behind one who is served all the same: after a moment in
	// which the process had no processor, so few have their turns at once.
	short = 8
)

// Turns are handed out to those who evaluate policies. A nil Turns hands out as many
// as are asked for. It is safe for use by many goroutines at once.
type Turns struct {
	limit, maxLong int64
	maxWait        time.Duration
	// state is how many turns are taken, and whether anybody waits. While somebody
	// does, it changes under the lock only.
	state atomic.Int64

	mu     sync.Mutex
	long   int64 // turns of long work
	checks queue
	longs  queue
}

// somebodyWaits is added to the state while somebody does.
const somebodyWaits = 1 << 40

// New makes Turns.
func New(o Options) *Turns {
	processors := runtime.GOMAXPROCS(0)
	limit := int64(cmp.Or(o.Turns, turnsPerProcessor*processors))
	most, wait := cmp.Or(o.MaxWaiting, DefaultMaxWaiting), cmp.Or(o.MaxWait, DefaultMaxWait)
	return &Turns{
		limit: limit, maxLong: min(limit, int64(cmp.Or(o.Long, processors))), maxWait: wait,
		checks: newQueue(checkWeight, most, stale, o.Weights), longs: newQueue(longWeight, most, wait, o.Weights),
	}
}

// A Turn is the right to evaluate until it is released.
type Turn struct {
	turns *Turns
	flow  *flow // nil for one that nobody had to wait for
	long  bool
	since time.Time
	// paid is for how many seconds the flow has paid.
	paid float64
}

// Check waits for the turn of a single check. An error means that there is none: it
// is Overloaded where there would be none in time, with when to try again, and of the
// context's kind where that has ended.
func (t *Turns) Check(ctx context.Context, tenant string) (Turn, error) {
	if t == nil {
		return Turn{}, nil
	}
	for {
		taken := t.state.Load()
		if taken >= t.limit { // as it is while somebody waits
			return t.await(ctx, tenant, &t.checks, false)
		}
		if t.state.CompareAndSwap(taken, taken+1) {
			return Turn{turns: t}, nil
		}
	}
}

// Long waits for the first turn of long work. Errors are those of Check.
func (t *Turns) Long(ctx context.Context, tenant string) (Turn, error) {
	if t == nil {
		return Turn{}, nil
	}
	return t.await(ctx, tenant, &t.longs, false)
}

// Another is a further turn for long work, where one can be had at once and nobody
// waits.
func (t *Turns) Another(tenant string) (Turn, bool) {
	if t == nil {
		return Turn{}, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.state.Load()
	if taken >= t.limit || t.long >= t.maxLong || !t.state.CompareAndSwap(taken, taken+1) {
		return Turn{}, false
	}
	t.long++
	return Turn{turns: t, flow: t.longs.flow(tenant), long: true, since: time.Now()}, true
}

// Yield lets others go first who have waited, and waits for the next turn. It is for
// long work, after each piece that takes longer than a check or two. What has begun is
// not refused: the only error is the context's end, after which the turn is released.
func (turn *Turn) Yield(ctx context.Context, tenant string) error {
	t := turn.turns
	if t == nil {
		return nil
	}
	if ctx.Err() != nil {
		turn.Release()
		return ended(ctx)
	}
	if t.state.Load() < somebodyWaits {
		// Others may wait for the processor alone.
		runtime.Gosched()
		return nil
	}
	turn.Release()
	next, err := t.await(ctx, tenant, &t.longs, true)
	*turn = next
	return err
}

// Release gives the turn back. Once is enough, and more do nothing.
func (turn *Turn) Release() {
	t := turn.turns
	if t == nil {
		return
	}
	turn.turns = nil
	if turn.flow == nil {
		for {
			taken := t.state.Load()
			if taken >= somebodyWaits {
				break
			}
			if t.state.CompareAndSwap(taken, taken-1) {
				return
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	t.state.Add(-1)
	if turn.long {
		t.long--
	}
	if turn.flow != nil {
		turn.flow.settle(now.Sub(turn.since), turn.paid)
	}
	t.dispatch(now)
}

// await waits in a queue, one who has begun for as long as it takes.
func (t *Turns) await(ctx context.Context, tenant string, q *queue, begun bool) (Turn, error) {
	if ctx.Err() != nil {
		return Turn{}, ended(ctx)
	}
	now := time.Now()
	patience := t.maxWait
	if deadline, bounded := ctx.Deadline(); bounded {
		patience = min(patience, deadline.Sub(now))
	}
	w := &waiter{since: now, begun: begun, granted: make(chan struct{})}
	t.mu.Lock()
	f := q.flow(tenant)
	if expected := q.expected(f, t.limit); !begun && (expected > patience || len(f.waiting) >= q.most) {
		t.mu.Unlock()
		return Turn{}, overloaded(expected)
	}
	if t.state.Load() < somebodyWaits {
		t.state.Add(somebodyWaits)
	}
	q.join(f, w)
	t.dispatch(now)
	t.mu.Unlock()
	select {
	case <-w.granted: // mostly it is there already
		return w.turn, w.err
	default:
	}
	var late <-chan time.Time
	if !begun {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-w.granted:
		return w.turn, w.err
	case <-ctx.Done():
		return t.giveUp(q, f, w, ended(ctx))
	case <-late:
		return t.giveUp(q, f, w, overloaded(patience))
	}
}

// giveUp takes a waiter out of its queue, unless it has its turn just now.
func (t *Turns) giveUp(q *queue, f *flow, w *waiter, err error) (Turn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.isGranted() {
		return w.turn, w.err
	}
	q.leave(f, w)
	t.dispatch(time.Now())
	return Turn{}, err
}

// dispatch hands out the turns that are free. The lock is held, and the state says
// that somebody waits, or nobody does.
func (t *Turns) dispatch(now time.Time) {
	for t.state.Load()&(somebodyWaits-1) < t.limit {
		q := t.next()
		if q == nil {
			break
		}
		f, w := q.take(now)
		if w == nil {
			continue // all of them were stale
		}
		t.state.Add(1)
		w.turn = Turn{turns: t, flow: f, long: q == &t.longs, since: now, paid: q.usual}
		if w.turn.long {
			t.long++
		}
		close(w.granted)
	}
	if t.checks.count == 0 && t.longs.count == 0 && t.state.Load() >= somebodyWaits {
		t.state.Add(-somebodyWaits)
	}
}

// next is the queue whose turn it is; nil where nobody waits who may have one.
func (t *Turns) next() *queue {
	checks, longs := t.checks.count > 0, t.longs.count > 0 && t.long < t.maxLong
	switch {
	case checks && longs:
		if t.longs.used < t.checks.used {
			return &t.longs
		}
		return &t.checks
	case checks:
		// What long work did not take while it had nothing to do is not owed to it.
		t.longs.used = max(t.longs.used, t.checks.used)
		return &t.checks
	case longs:
		t.checks.used = max(t.checks.used, t.longs.used)
		return &t.longs
	}
	return nil
}

// ended is the error of a context that has.
func ended(ctx context.Context) error {
	return authz.Errorf(authz.KindOf(ctx.Err()), "no turn to evaluate came before the call ended: %w", ctx.Err())
}
