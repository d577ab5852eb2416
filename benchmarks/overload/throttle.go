package main

import (
	"math/rand/v2"
	"sync"
	"time"
)

// A throttle is that of api/client, whose throttle.go says what for.
type throttle struct {
	mu              sync.Mutex
	asked, answered float64
	until           time.Time
	refused, before bool // in this period, and in the one before
}

func (t *throttle) lets(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	const few, excess, growth = 20, 1.1, 2
	most := excess * t.answered
	if !t.refused && !t.before {
		most = growth * t.answered
	}
	if t.asked < few || rand.Float64()*t.asked >= t.asked-most {
		return true
	}
	t.asked++
	return false
}

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
	t.refused, t.before = false, t.refused
	t.asked /= 2
	t.answered /= 2
	t.until = now.Add(250 * time.Millisecond)
}
