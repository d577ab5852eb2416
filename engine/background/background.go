// Package background has long work, such as a backup or the compilation of a bundle,
// leave the processors to those who wait for a decision.
//
// Go's scheduler lets a goroutine run for some ten milliseconds before others have their
// turn, and while all processors are busy it looks no more often for what the network
// brought. A decision takes some ten microseconds, so that one such goroutine is what
// the slowest hundredth of the decisions waits for. A goroutine cannot be given a lower
// priority, and a thread that is given one keeps its processor from the others of the
// process, and its locks. So the work itself rests, after each piece of it.
//
// How long it rests follows from how much of the processors all else takes, which the
// package learns from the time that the process had: a server that is asked now and then
// is not to be filled ten times as slowly as one that is not. Start with Work.Rest.
// An Idle is for those who can wait and are short.
package background

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// piece is for how long work goes on before others have their turn.
	piece = 100 * time.Microsecond
	// restFor is how many times as long it rests while decisions are made and all that is
	// not long work takes full of the processors' time, or more: all long work together
	// takes at most a tenth of a processor then, and less where none is ever idle. Below, it
	// rests in proportion. See the table "backup" of benchmarks/overload.
	restFor = 9
	full    = 0.5
	// mostRest bounds one rest, so that work gets on whose pieces take long, or are held
	// up.
	mostRest = 20 * time.Millisecond
	// look is how often it is asked whether decisions were made, and for how long they
	// are taken to go on.
	look = 5 * time.Millisecond
	busy = 4 * look
	// mostCounted is what a piece counts at most, for it may have waited for a processor.
	mostCounted = 10 * piece
	// sample is over how long it is measured what the processors do.
	sample = 20 * time.Millisecond
)

// A Pace is what all long work of a process keeps to. A nil Pace never rests. It is
// safe for use by many goroutines at once.
type Pace struct {
	decided func() bool
	used    func() time.Duration
	idle    *Idle
	begun   time.Time
	// The times are nanoseconds since it was begun: when it was asked whether there were
	// decisions, until when they are taken to go on, and until when there is rest. worked
	// is what long work has taken since.
	looked, goOn, resting, worked atomic.Int64
	// load is how much of the longest rest there is to be, in thousandths.
	load atomic.Int64

	sampling sync.Mutex
	before   sampled
}

// A sampled is when it was measured what the processors do, and what it was: of the
// process, and of its long work.
type sampled struct{ at, used, worked time.Duration }

// New makes a Pace, which asks now and then whether anything was decided since it asked
// before, and how much processor time the process has used. After a rest, work goes on
// when a processor is idle.
func New(decided func() bool, used func() time.Duration, idle *Idle) *Pace {
	p := &Pace{decided: decided, used: used, idle: idle, begun: time.Now()}
	p.load.Store(1000)
	p.before.used = used()
	return p
}

// Work is what one goroutine does at a Pace.
type Work struct {
	pace  *Pace
	since time.Duration
}

// Begin begins some work.
func (p *Pace) Begin() Work {
	if p == nil {
		return Work{}
	}
	return Work{pace: p, since: time.Since(p.begun)}
}

// A key is where a context has a Pace.
type key struct{}

// With is a context by which work is done at the pace.
func (p *Pace) With(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, p) }

// PaceOf is the pace of a context, nil where it has none.
func PaceOf(ctx context.Context) *Pace {
	p, _ := ctx.Value(key{}).(*Pace)
	return p
}

// Resting begins some work at the pace of a context. See Pace.Resting.
func Resting(ctx context.Context) (rest func()) { return PaceOf(ctx).Resting(ctx) }

// Resting begins some work, and is what has it rest, until the context ends: whoever goes
// on sees that by itself.
func (p *Pace) Resting(ctx context.Context) (rest func()) {
	work := p.Begin()
	return func() { _ = work.Rest(ctx) }
}

// Rest is called in between, as often as it can be: mostly it returns at once. While
// nobody decides, it does so after others had their turn. The error is the cause of the
// context's end.
func (w *Work) Rest(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil || w.pace == nil {
		return err
	}
	now := time.Since(w.pace.begun)
	worked := now - w.since
	if worked < piece {
		return nil
	}
	w.pace.worked.Add(int64(min(worked, mostCounted)))
	if !w.pace.isBusy(now) {
		runtime.Gosched()
		w.since = time.Since(w.pace.begun)
		return nil
	}
	timer := time.NewTimer(w.pace.rest(now, worked))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
		w.pace.idle.waitToWork()
	}
	w.since = time.Since(w.pace.begun)
	return context.Cause(ctx)
}

// isBusy reports whether decisions are made.
func (p *Pace) isBusy(now time.Duration) bool {
	if looked := p.looked.Load(); now-time.Duration(looked) >= look && p.looked.CompareAndSwap(looked, int64(now)) {
		if p.decided() {
			p.goOn.Store(int64(now + busy))
		}
		p.measure(now)
	}
	return int64(now) < p.goOn.Load()
}

// measure measures what all else takes of the processors, unless that was just done.
func (p *Pace) measure(now time.Duration) {
	if !p.sampling.TryLock() {
		return
	}
	defer p.sampling.Unlock()
	over := now - p.before.at
	if over < sample {
		return
	}
	after := sampled{now, p.used(), time.Duration(p.worked.Load())}
	others := after.used - p.before.used - (after.worked - p.before.worked)
	p.before = after
	share := float64(others) / float64(over) / float64(runtime.GOMAXPROCS(0))
	p.load.Store(int64(1000 * min(max(share/full, 0), 1)))
}

// rest is how long to rest after having worked: until others have rested, and for as
// long as one's own work asks for.
func (p *Pace) rest(now, worked time.Duration) time.Duration {
	own := min(restFor*worked*time.Duration(p.load.Load())/1000, mostRest)
	for {
		resting := p.resting.Load()
		end := max(time.Duration(resting), now) + own
		if p.resting.CompareAndSwap(resting, int64(end)) {
			return end - now
		}
	}
}
