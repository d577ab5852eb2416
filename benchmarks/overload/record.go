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
	// since is from when on calls count; those before are to warm up.
	since time.Time

	mu sync.Mutex
	// offered were meant to be sent; late were not sent in all of their time, and
	// cancelled not answered.
	offered, late, cancelled int
	// denied are answered with a deny by an error, such as of an evaluation that took
	// too long, and wrong are other answers that are not those to expect.
	denied, wrong int
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
	if call.intended.Before(r.since) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch status {
	case statusOK:
		r.took = append(r.took, took)
		switch {
		case call.outcome == wrong, !call.answered:
			r.wrong++
		case call.outcome == deniedByError:
			r.denied++
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

func (r *record) offer(intended time.Time, late bool) {
	if intended.Before(r.since) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offered++
	if late {
		r.late++
	}
}

// cancel notes a call that was sent, and given up.
func (r *record) cancel(intended time.Time) {
	if intended.Before(r.since) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelled++
}

// hold notes a call that is not sent.
func (r *record) hold(intended time.Time) {
	if intended.Before(r.since) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.offered++
	r.held++
}

// A summary is a record in figures, over a time.
type summary struct {
	offered, accepted, refused, held, late float64 // a second, late with those that were cancelled
	denied, wrong                          int
	failed                                 map[string]int
	p50, p99, p999, refusedP99             time.Duration
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
		offered: rate(r.offered), accepted: rate(len(r.took)), refused: rate(r.refused), held: rate(r.held), late: rate(r.late + r.cancelled), denied: r.denied, wrong: r.wrong, failed: r.failed,
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
