package main

import (
	"slices"
	"sync"
	"time"
)

// A record is what became of the calls of one load. Times are from when a call was
// meant to be sent, be it sent then or not, so that a server which holds up its
// callers does not look as if fewer had asked (coordinated omission).
type record struct {
	heed *throttle // nil for callers that heed nothing
	mu   sync.Mutex
	// offered were meant to be sent, late were not for all of their time.
	offered, late int
	// wrong are answers that are not those to expect.
	wrong int
	// held were not sent by callers that heed refusals.
	held int
	// refused were for overload, failed for anything else, by their status.
	refused int
	failed  map[string]int
	took    []time.Duration // of what was answered, and of what was refused
	refusal []time.Duration
}

const (
	statusOK        = "0"
	statusExhausted = "8"
)

func (r *record) answered(call *pending, status string, now time.Time) {
	took := now.Sub(call.intended)
	if r.heed != nil {
		r.heed.ended(now, status == statusExhausted)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch status {
	case statusOK:
		r.took = append(r.took, took)
		if call.wrong || !call.answered {
			r.wrong++
		}
	case statusExhausted:
		r.refused++
		r.refusal = append(r.refusal, took)
	default:
		if r.failed == nil {
			r.failed = map[string]int{}
		}
		r.failed[status]++
	}
}

func (r *record) offer(late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offered++
	if late {
		r.late++
	}
}

// hold notes a call that is not sent.
func (r *record) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offered++
	r.held++
}

// reset forgets what was, such as of a time to warm up.
func (r *record) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offered, r.late, r.wrong, r.held, r.refused, r.failed, r.took, r.refusal = 0, 0, 0, 0, 0, nil, nil, nil
}

// A summary is a record in figures, over a time.
type summary struct {
	offered, accepted, refused, held float64 // a second
	late, wrong                      int
	failed                           map[string]int
	p50, p99, p999, refusedP99       time.Duration
	// cpu is what the server's process took for each call that it answered.
	cpu time.Duration
}

func (r *record) summary(over time.Duration) summary {
	r.mu.Lock()
	defer r.mu.Unlock()
	slices.Sort(r.took)
	slices.Sort(r.refusal)
	rate := func(n int) float64 { return float64(n) / over.Seconds() }
	return summary{
		offered: rate(r.offered), accepted: rate(len(r.took)), refused: rate(r.refused), held: rate(r.held), late: r.late, wrong: r.wrong, failed: r.failed,
		p50: quantile(r.took, 0.5), p99: quantile(r.took, 0.99), p999: quantile(r.took, 0.999), refusedP99: quantile(r.refusal, 0.99),
	}
}

// quantile is the value that a part of sorted ones does not pass.
func quantile(sorted []time.Duration, part float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(part*float64(len(sorted)-1)+0.5)]
}
