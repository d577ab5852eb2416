package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// A ledger holds what was done, how long checks took, and what went wrong.
type ledger struct {
	mu sync.Mutex
	// done, overloaded and wrong are by kind of work.
	done, overloaded map[string]int
	wrong            map[string][]string
	wrongs           int
	// waited is how long steady checks of a tenant took in this round.
	waited map[string][]time.Duration
	before map[string]int
}

// keptComplaints is how many texts are kept for each kind of work.
const keptComplaints = 5

func newLedger() *ledger {
	return &ledger{done: map[string]int{}, overloaded: map[string]int{}, wrong: map[string][]string{}, waited: map[string][]time.Duration{}, before: map[string]int{}}
}

// add notes that a piece of work was done, or how it failed.
func (l *ledger) add(kind string, mayBeOverloaded bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.done[kind]++
	case mayBeOverloaded && authz.KindOf(err) == authz.Overloaded:
		l.overloaded[kind]++
	default:
		l.wrongs++
		if texts := l.wrong[kind]; len(texts) < keptComplaints {
			l.wrong[kind] = append(texts, err.Error())
		}
	}
}

// took notes how long a steady check took.
func (l *ledger) took(tenant string, elapsed time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waited[tenant] = append(l.waited[tenant], elapsed)
}

// round is what a round comes to, in a line, and begins the next.
func (l *ledger) round() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var line strings.Builder
	for _, tenant := range slices.Sorted(maps.Keys(l.waited)) {
		waited := l.waited[tenant]
		slices.Sort(waited)
		fmt.Fprintf(&line, "%s p50 %v p99 %v  ", tenant, at(waited, 50), at(waited, 99))
	}
	total := 0
	for kind, n := range l.done {
		total += n - l.before[kind]
	}
	l.before = maps.Clone(l.done)
	clear(l.waited)
	fmt.Fprintf(&line, "%d done, %d wrong", total, l.wrongs)
	return line.String()
}

// at is a percentile of durations that are sorted.
func at(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)*percent/100].Round(10 * time.Microsecond)
}

// print writes what was done.
func (l *ledger) print(out io.Writer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(l.done)) {
		fmt.Fprintf(out, "%-12s %9d done  %7d refused as overloaded\n", kind, l.done[kind], l.overloaded[kind])
	}
}

// verdict is nil when all that was to be done was done, and nothing went wrong.
func (l *ledger) verdict() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, kind := range slices.SortedFunc(maps.Keys(l.wrong), cmp.Compare[string]) {
		for _, text := range l.wrong[kind] {
			errs = append(errs, fmt.Errorf("%s: %s", kind, text))
		}
	}
	if shown := len(errs); l.wrongs > shown {
		errs = append(errs, fmt.Errorf("and %d more", l.wrongs-shown))
	}
	for _, chore := range chores {
		if l.done[chore.name] == 0 {
			errs = append(errs, fmt.Errorf("%s: was never done", chore.name))
		}
	}
	return errors.Join(errs...)
}
