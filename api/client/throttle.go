package client

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// A throttle keeps calls from a server that refuses most of them: to refuse a call
// costs it a good part of what it takes to answer, so one that is asked for twice of what
// it can do would be left with half. The more are refused the more fail here, until hardly
// more are sent than are answered (client-side throttling, in "Site Reliability
// Engineering", chapter 21).
type throttle struct {
	mu sync.Mutex
	// asked are the calls that have ended of late, be it that they failed here, and
	// answered those that the server did not refuse. Both halve with each period.
	asked, answered float64
	until           time.Time // of the period
	// refused and refusedBefore say that the server has refused some, in this period and
	// in the one before.
	refused, refusedBefore bool
}

const (
	// excess is how many are sent for each that is answered, so that it shows when the
	// server can do more again, and growth how many are once it refuses none of them.
	excess, growth = 1.1, 2
	// fewAsked are so few that nothing follows from them.
	fewAsked = 20
	// throttlePeriod is how fast what was is forgotten.
	throttlePeriod = 250 * time.Millisecond
)

// lets reports whether to make a call.
func (t *throttle) lets(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	most := excess * t.answered
	if !t.refused && !t.refusedBefore {
		most = growth * t.answered
	}
	if t.asked < fewAsked || rand.Float64()*t.asked >= t.asked-most {
		return true
	}
	t.asked++
	return false
}

// ended notes that a call has, and whether the server refused it.
func (t *throttle) ended(now time.Time, refused bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	t.asked++
	if refused {
		t.refused = true
	} else {
		t.answered++
	}
}

func (t *throttle) forget(now time.Time) {
	if now.Before(t.until) {
		return
	}
	if now.Sub(t.until) > 10*throttlePeriod {
		t.asked, t.answered, t.refused = 0, 0, false
	}
	t.refused, t.refusedBefore = false, t.refused
	t.asked /= 2
	t.answered /= 2
	t.until = now.Add(throttlePeriod)
}

// errThrottled is why a call fails that was not made.
var errThrottled = &authz.Error{
	Kind:       authz.Overloaded,
	Message:    "it was not asked, since it refuses most of what it is asked for: try again later",
	RetryAfter: throttlePeriod,
}
