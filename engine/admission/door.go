package admission

import (
	"cmp"
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// A Door counts the small calls under way, from when their headers have come until
// they are answered, and refuses some where others stand behind them for long. What
// waits without using a processor leaves it meanwhile, or is forgotten after a second.
// A nil Door refuses nothing. It is safe for use by many goroutines at once, and takes no
// lock. See BenchmarkDoor.
//
// There are too many when more are under way than are answered within a delay. A burst
// of them is let in; where it does not pass, those whose tenant has its share are refused.
type Door struct {
	delay  time.Duration
	shares map[string]*Share
	// strangers are those of whom it is not known yet whose calls they make.
	strangers *Share
	// underWay counts the calls; answered those that have left.
	underWay, answered atomic.Int64
	// few is how many should be under way, many how many may come at once, and total
	// the weight of the tenants that have calls under way. They are set at each tick.
	few, many, total atomic.Int64
	// crowded counts those who found too many under way. When they were most, since the
	// last tick, or a line had been standing, is in crowd, in nanoseconds since 1970;
	// tight says that this was not long ago.
	crowded atomic.Int64
	crowd   atomic.Int64
	tight   atomic.Bool
	refused atomic.Int64
	refusal atomic.Pointer[error]
	// rate is how many were answered a second in better times. It is Run's.
	rate float64
	// spent is until when, in nanoseconds since 1970, the time that there is for
	// refusing has been spent.
	spent atomic.Int64
}

// DoorOptions say what a Door lets in. A zero member means its default.
type DoorOptions struct {
	// Delay is for how long calls should be under way; 0 means DefaultDelay. One that
	// has taken a turn does not count as long as it waits for it.
	Delay time.Duration
	// Tenants are those that are served, with their weights.
	Tenants map[string]int
}

const (
	// DefaultDelay is for how long what is under way may make others wait. Where it is
	// shorter, the processors have nothing left to do before the network brings more.
	DefaultDelay = 5 * time.Millisecond
	// burst is the delay that a burst may cause, and so for how long a line may stand.
	burst = 100 * time.Millisecond
	// alert is for how long after a crowd none is let in.
	alert = time.Second
	// leastFew and leastMany are for each processor, so that a server which did
	// nothing lets in what it can.
	leastFew, leastMany = 64, 1_024
	// minCrowd are those of a burst that is over before the next tick, mostly.
	minCrowd = 100
	// tick is how often the door looks at what went through, and ticks how many of them
	// a call counts.
	tick  = 100 * time.Millisecond
	ticks = 10
	// refusals are how many calls a second each processor has time to refuse: a fifth
	// of its time or so, for even a call that is not answered has to be read.
	refusals = 30_000
	// mostHold is how long those who send more are left waiting at a time.
	mostHold = 50 * time.Millisecond
)

// A Share is what one tenant has under way.
type Share struct {
	weight int64
	// latest counts those who came since the last tick; recent are all that count, in a
	// ring.
	latest atomic.Pointer[cohort]
	recent [ticks]atomic.Pointer[cohort]
}

// A cohort is the calls that came between two ticks.
type cohort struct{ n atomic.Int64 }

// forgotten is added to the number of a cohort that counts no longer.
const forgotten = -1 << 40

// A Call is one that was let in. The zero Call is none.
type Call struct {
	door   *Door
	cohort *cohort
}

// NewDoor makes a Door, which adapts while Run runs.
func NewDoor(o DoorOptions) *Door {
	d := &Door{delay: cmp.Or(o.Delay, DefaultDelay), shares: make(map[string]*Share, len(o.Tenants)), strangers: newShare(1)}
	for tenant, weight := range o.Tenants {
		d.shares[tenant] = newShare(weight)
	}
	d.adapt(0, time.Now(), tick)
	return d
}

func newShare(weight int) *Share {
	s := &Share{weight: int64(max(1, weight))}
	for i := range s.recent {
		s.recent[i].Store(new(cohort))
	}
	s.latest.Store(s.recent[0].Load())
	return s
}

// Of is the share of a tenant; nil for one that is not served.
func (d *Door) Of(tenant string) *Share {
	if d == nil {
		return nil
	}
	return d.shares[tenant]
}

// Arrive lets a call in, or refuses it with an error of kind Overloaded. The share is
// nil for a call of which it is not known yet whose it is. Stands says that it comes from
// a line that does, see Line.
func (d *Door) Arrive(share *Share, stands bool) (Call, error) {
	if d == nil {
		return Call{}, nil
	}
	if share == nil {
		share = d.strangers
	}
	if n := d.underWay.Load(); n >= d.few.Load() || stands {
		d.crowded.Add(1)
		if (d.tight.Load() || n >= d.many.Load()) && share.underWay()*d.total.Load() >= d.few.Load()*share.weight {
			d.refuse(time.Now())
			return Call{}, *d.refusal.Load()
		}
	}
	for {
		c := share.latest.Load()
		if c.n.Add(1) > 0 {
			d.underWay.Add(1)
			return Call{door: d, cohort: c}, nil
		}
		runtime.Gosched() // until Run has put another in its place
	}
}

// Leave says that a call is answered, or waits for something.
func (c Call) Leave() {
	if c.door == nil || c.cohort.n.Add(-1) < 0 {
		return
	}
	c.door.answered.Add(1)
	c.door.underWay.Add(-1)
}

// underWay is how many calls of the tenant are.
func (s *Share) underWay() (n int64) {
	for i := range s.recent {
		n += max(0, s.recent[i].Load().n.Load())
	}
	return n
}

// refuse counts a refusal, and what it costs.
func (d *Door) refuse(now time.Time) {
	d.refused.Add(1)
	cost := int64(time.Second) / (refusals * int64(runtime.GOMAXPROCS(0)))
	for at := now.UnixNano(); ; {
		spent := d.spent.Load()
		if d.spent.CompareAndSwap(spent, max(spent, at)+cost) {
			return
		}
	}
}

// Hold is how long a connection is not to be read whose calls were refused, since
// there is no time to refuse more: what it sends then waits on its side.
func (d *Door) Hold(now time.Time) time.Duration {
	if d == nil {
		return 0
	}
	return min(max(0, time.Duration(d.spent.Load()-now.UnixNano())), mostHold)
}

// Run adapts the door to what goes through it, until the context ends.
func (d *Door) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for before, n := time.Now(), 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			d.adapt(n%ticks, now, now.Sub(before))
			before = now
		}
	}
}

// adapt counts what came and left over a time, and forgets who came long ago.
func (d *Door) adapt(slot int, now time.Time, over time.Duration) {
	answered, refused := float64(d.answered.Swap(0)), float64(d.refused.Swap(0))
	processors := int64(runtime.GOMAXPROCS(0))
	// What is refused was not answered, which says nothing of what could have been.
	const forget = 0.995
	d.rate = max(answered/over.Seconds(), forget*d.rate)
	// A crowd begins when most find it, and stays while some are refused for it.
	// Where less was done than can be, the process was kept from its processors for a
	// while, and that is no reason to refuse more.
	const refusing, full = 0.25, 0.6 // of what an answer takes, and of the rate
	crowded := float64(d.crowded.Swap(0))
	switch {
	case answered+refusing*refused < full*d.rate*over.Seconds():
		d.crowd.Store(0)
	case crowded > max(minCrowd, (answered+refused)/2), d.tight.Load() && refused > answered/20:
		d.crowd.Store(now.UnixNano())
	}
	d.tight.Store(now.UnixNano()-d.crowd.Load() < int64(alert))
	d.few.Store(max(leastFew*processors, int64(d.rate*d.delay.Seconds())))
	d.many.Store(max(leastMany*processors, int64(d.rate*burst.Seconds())))

	total := d.rotate(d.strangers, slot)
	for _, share := range d.shares {
		total += d.rotate(share, slot)
	}
	d.total.Store(max(1, total))
	err := overloaded(time.Duration(refused / max(answered, 1) * float64(leastRetry)))
	d.refusal.Store(&err)
}

// rotate begins a cohort in the place of the oldest, whose calls count no longer. It
// returns the weight of the share, if there are calls of it.
func (d *Door) rotate(s *Share, slot int) (weight int64) {
	if oldest := s.recent[slot].Load(); oldest.n.Load() != 0 {
		next := new(cohort)
		s.recent[slot].Store(next)
		s.latest.Store(next)
		if left := oldest.n.Swap(forgotten); left > 0 {
			d.underWay.Add(-left)
		}
	} else {
		s.latest.Store(oldest)
	}
	if s.underWay() > 0 {
		return s.weight
	}
	return 0
}
