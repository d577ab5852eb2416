package admission

import "sync/atomic"

// A Share is what one tenant has under way.
type Share struct {
	weight int64
	// latest counts those who came since the last tick; recent are all that count, in a
	// ring.
	latest atomic.Pointer[cohort]
	recent [ticks]atomic.Pointer[cohort]
	// entered counts those who were let in since the last tick, while it is tight; rate
	// is how many are so between two ticks, lately, and of the Door's Run. hasPart says
	// that it is no less than the tenant's part of all who are let in.
	entered atomic.Int64
	rate    float64
	hasPart atomic.Bool
}

// A cohort is the calls that came between two ticks.
type cohort struct{ n atomic.Int64 }

// forgotten is added to the number of a cohort that counts no longer.
const forgotten = -1 << 40

func newShare(weight int) *Share {
	s := &Share{weight: int64(max(1, weight))}
	for i := range s.recent {
		s.recent[i].Store(new(cohort))
	}
	s.latest.Store(s.recent[0].Load())
	return s
}

// underWay is how many calls of the tenant are.
func (s *Share) underWay() (n int64) {
	for i := range s.recent {
		n += max(0, s.recent[i].Load().n.Load())
	}
	return n
}

// fills reports whether the tenant has its share of the few who should be under way.
func (s *Share) fills(d *Door) bool {
	return s.underWay()*d.total.Load() >= d.few.Load()*s.weight
}

// apportion finds out which tenants have their part of what is let in. Those of whom
// next to nothing comes take no part.
func (d *Door) apportion() {
	const keep, least = 0.8, 1
	all, weights := 0.0, int64(0)
	for s := range d.everyShare {
		s.rate = keep*s.rate + (1-keep)*float64(s.entered.Swap(0))
		if s.rate >= least {
			all += s.rate
			weights += s.weight
		}
	}
	for s := range d.everyShare {
		s.hasPart.Store(s.rate >= least && s.rate*float64(weights) >= all*float64(s.weight))
	}
}

// everyShare is a sequence of the shares.
func (d *Door) everyShare(yield func(*Share) bool) {
	for _, share := range d.shares {
		if !yield(share) {
			return
		}
	}
	yield(d.strangers)
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
