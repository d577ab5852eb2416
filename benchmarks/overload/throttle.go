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
}

func (t *throttle) lets(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(now)
	const few, excess = 20, 1.25
	if t.asked < few || rand.Float64()*t.asked >= t.asked-excess*t.answered {
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
	if !refused {
		t.answered++
	}
}

func (t *throttle) forget(now time.Time) {
	if now.Before(t.until) {
		return
	}
	t.asked /= 2
	t.answered /= 2
	t.until = now.Add(250 * time.Millisecond)
}
