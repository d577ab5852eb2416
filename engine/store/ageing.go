package store

import (
	"time"

	"go.uber.org/zap"
)

// A clock may be set, by mistake by years, and history that was dropped for it does
// not come back when it is set right. So how old a revision is, is not taken from the
// clock alone: while a store is open, time passes as the process has it, whatever the
// clock is set to; and how long it was closed is believed up to an hour more than the
// time of its last commit. Where that is wrong, history is kept for longer.

// believedGap is by how much the clock may be ahead of the last commit when a store is
// opened.
const believedGap = time.Hour

// clockStep is from which step on the log says that the clock was set.
const clockStep = time.Minute

// sightings is into how many parts a window is divided by what is remembered of it.
const sightings = 8

// An ageing tells how old revisions are at least. It belongs to the writer.
type ageing struct {
	log *zap.Logger
	// passed is how much time has passed since the store was opened, as the process
	// has it.
	passed func(now time.Time) time.Duration
	start  time.Time // what time it was taken to be then
	step   time.Duration
	seen   []sighting
}

// A sighting is a revision that was the latest at some time after the opening.
type sighting struct {
	revision uint64
	at       time.Duration
}

// newAgeing begins when a store is opened at a revision, whose time is last.
func newAgeing(log *zap.Logger, now, last time.Time, revision uint64) *ageing {
	// The difference of two readings of the system's clock is that of the process,
	// as long as neither is rounded.
	a := &ageing{log: log, start: now.Round(0), passed: func(then time.Time) time.Duration { return then.Sub(now) }}
	if believed := last.Add(believedGap); !last.IsZero() && a.start.After(believed) {
		a.start = believed
	}
	a.step = now.Round(0).Sub(a.start)
	a.seen = []sighting{{revision, 0}}
	return a
}

// note takes notice of the latest revision, and of the clock.
func (a *ageing) note(now time.Time, latest uint64, window time.Duration) {
	passed := a.passed(now)
	if step := now.Round(0).Sub(a.start.Add(passed)); (step - a.step).Abs() > clockStep {
		a.log.Warn("the clock was set: past revisions are kept as if it had not been", zap.Duration("by", step-a.step))
		a.step = step
	}
	if passed-a.seen[len(a.seen)-1].at >= window/sightings {
		a.seen = append(a.seen, sighting{latest, passed})
	}
	for len(a.seen) > 1 && passed-a.seen[1].at >= window {
		a.seen = a.seen[1:]
	}
}

// A hasLeft reports whether a revision of a time has left a window.
type hasLeft func(revision uint64, time time.Time) bool

// left tells of a revision and its time whether it has left a window.
func (a *ageing) left(now time.Time, window time.Duration) hasLeft {
	passed := a.passed(now)
	present := a.start.Add(passed)
	if clock := now.Round(0); clock.Before(present) {
		present = clock
	}
	return func(revision uint64, time time.Time) bool {
		if time.After(present) { // when the clock was ahead
			for _, s := range a.seen {
				if s.revision >= revision {
					return passed-s.at >= window
				}
			}
			return false
		}
		return !time.After(present.Add(-window))
	}
}
