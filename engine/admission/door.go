package admission

import (
	"cmp"
	"context"
	"math"
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
// There are too many when more are under way than are answered within a delay, or when a
// Line stands. A burst is let in; where such a crowd does not pass, those whose tenant has
// its share are refused.
type Door struct {
	delay time.Duration
	// idle has whoever calls it wait for an idle processor, and used is the processor time
	// that was used.
	idle   func() (turns int)
	used   func() time.Duration
	shares map[string]*Share
	// strangers are those of whom it is not known yet whose calls they make.
	strangers *Share
	// underWay counts the calls; answered those that have left.
	underWay, answered atomic.Int64
	// few is how many should be under way, many how many may come at once, and total
	// the weight of the tenants that have calls under way. They are set at each tick.
	few, many, total atomic.Int64
	// Times are nanoseconds since begun, which the clock of the day cannot change, and 0 for
	// never. Too many have been under way from crowded on; those that passed since the last
	// tick took passed, and standing counts the calls from lines that stand. Where there was
	// a crowd for long, or a line stood for long, the last time of it is in crowd, and tight
	// says that this was not long ago.
	begun    time.Time
	crowded  atomic.Int64
	passed   atomic.Int64
	standing atomic.Int64
	crowd    atomic.Int64
	tight    atomic.Bool
	refused  atomic.Int64
	refusal  atomic.Pointer[error]
	// rate is how many were answered a second in better times. It is Run's.
	rate float64
	// before is how much processor time was used at the last tick, and most how many
	// processors were used between two, in better times. They are Run's.
	before time.Duration
	most   float64
}

// DoorOptions say what a Door lets in. A zero member means its default.
type DoorOptions struct {
	// Delay is for how long calls should be under way; 0 means DefaultDelay. One that
	// has taken a turn does not count as long as it waits for it.
	Delay time.Duration
	// Tenants are those that are served, with their weights.
	Tenants map[string]int
	// Idle has whoever calls it wait until a processor has nothing else to do, and says
	// for how many turns of about a millisecond it may go on then; nil for not at all.
	Idle func() (turns int)
	// Used is how much processor time the process has used; nil where that is not known.
	Used func() time.Duration
}

const (
	// DefaultDelay is for how long what is under way may make others wait. Where it is
	// shorter, more is refused than has to be, for calls come in bursts.
	DefaultDelay = 10 * time.Millisecond
	// burst is the delay that a burst may cause, and so for how long a line may stand.
	burst = 100 * time.Millisecond
	// forget is what is left of better times after a tick.
	forget = 0.995
	// alert is for how long after a crowd none is let in.
	alert = time.Second
	// leastFew and leastMany are for each processor, so that a server which did
	// nothing lets in what it can.
	leastFew, leastMany = 64, 1_024
	// leastBusy are those of a piece, for each processor.
	leastBusy = leastFew / 4
	// tick is how often the door looks at what went through, and ticks how many of them
	// a call counts.
	tick  = 100 * time.Millisecond
	ticks = 10
)

// A Call is one that was let in. The zero Call is none.
type Call struct {
	door   *Door
	cohort *cohort
}

// NewDoor makes a Door, which adapts while Run runs.
func NewDoor(o DoorOptions) *Door {
	now := time.Now()
	d := &Door{
		delay: cmp.Or(o.Delay, DefaultDelay), idle: o.Idle, used: o.Used,
		shares: make(map[string]*Share, len(o.Tenants)), strangers: newShare(1),
		begun: now.Add(-alert), // so that never is long ago
	}
	for tenant, weight := range o.Tenants {
		d.shares[tenant] = newShare(weight)
	}
	if d.idle == nil {
		d.idle = func() int { return math.MaxInt }
	}
	if d.used == nil {
		d.used = func() time.Duration { return 0 }
	}
	d.adapt(0, now, tick)
	return d
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
	tight := d.tight.Load()
	if n := d.underWay.Load(); n >= d.few.Load() || stands {
		if stands {
			d.standing.Add(1)
		} else if d.crowded.Load() == 0 {
			d.crowded.CompareAndSwap(0, d.now())
		}
		if tight && stands && share.hasPart.Load() || (tight || n >= d.many.Load()) && share.fills(d) {
			d.refused.Add(1)
			return Call{}, *d.refusal.Load()
		}
	}
	if tight {
		share.entered.Add(1)
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

// isBusy reports whether others would have to wait for a piece of a line.
func (d *Door) isBusy() bool {
	return d.tight.Load() || d.underWay.Load() >= int64(leastBusy*runtime.GOMAXPROCS(0))
}

// Leave says that a call is answered, or waits for something.
func (c Call) Leave() {
	if c.door == nil || c.cohort.n.Add(-1) < 0 {
		return
	}
	d := c.door
	d.answered.Add(1)
	if n := d.underWay.Add(-1); d.crowded.Load() != 0 && n < d.few.Load() {
		d.pass()
	}
}

// pass notes that no more than should be are under way.
func (d *Door) pass() {
	if since := d.crowded.Swap(0); since != 0 {
		d.passed.Add(d.now() - since)
	}
}

// Run adapts the door to what goes through it, until the context ends.
func (d *Door) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	d.before, d.most = d.used(), 0 // what was used before is not of the first tick
	for before, n := time.Now(), 1; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C: // late where there is much to do, and then the next comes soon
			now := time.Now()
			if over := now.Sub(before); over >= tick/2 {
				d.adapt(n%ticks, now, over)
				before, n = now, n+1
			}
		}
	}
}

// adapt counts what came and left over a time, and forgets who came long ago.
func (d *Door) adapt(slot int, now time.Time, over time.Duration) {
	answered, refused := float64(d.answered.Swap(0)), float64(d.refused.Swap(0))
	processors := int64(runtime.GOMAXPROCS(0))
	// What is refused was not answered, which says nothing of what could have been.
	d.rate = max(answered/over.Seconds(), forget*d.rate)
	// A crowd is there for long when it is for most of the time, or most are from lines that
	// stand, and stays while some are refused for it.
	// Where less was done than can be, the process was kept from its processors for a
	// while, or does not need them, and that is no reason to refuse more.
	const full, most, some = 0.6, 0.5, 0.05
	crowd := d.crowdOf(now, over) + float64(d.standing.Swap(0))/max(1, answered+refused)
	switch {
	case d.busy(over) < full*d.most:
		d.crowd.Store(0)
	case crowd > most, d.tight.Load() && refused > some*answered:
		d.crowdAt(now)
	}
	d.tight.Store(now.Sub(d.begun)-time.Duration(d.crowd.Load()) < alert)
	d.few.Store(max(leastFew*processors, int64(d.rate*d.delay.Seconds())))
	d.many.Store(max(leastMany*processors, int64(d.rate*burst.Seconds())))

	total := int64(0)
	for share := range d.everyShare {
		total += d.rotate(share, slot)
	}
	d.total.Store(max(1, total))
	d.apportion()
	if d.underWay.Load() < d.few.Load() {
		d.pass() // where those of a crowd are forgotten, none of them ends it
	}
	err := overloaded(time.Duration(refused / max(answered, 1) * float64(leastRetry)))
	d.refusal.Store(&err)
}

// crowdOf is for which part of a time until now there was a crowd.
func (d *Door) crowdOf(now time.Time, over time.Duration) float64 {
	there := d.passed.Swap(0)
	if since := d.crowded.Load(); since != 0 {
		if until := int64(now.Sub(d.begun)); d.crowded.CompareAndSwap(since, until) {
			there += until - since
		}
	}
	return float64(there) / float64(over)
}

// crowdAt notes that there was a crowd for long.
func (d *Door) crowdAt(now time.Time) { d.crowd.Store(int64(now.Sub(d.begun))) }

// now is the time since the door began.
func (d *Door) now() int64 { return int64(time.Since(d.begun)) }

// busy is how many processors the process used over a time, about.
func (d *Door) busy(over time.Duration) float64 {
	used := d.used()
	busy := float64(used-d.before) / float64(over)
	d.before, d.most = used, max(busy, forget*d.most)
	return busy
}
