package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// A bench is a server and what was found out about it.
type bench struct {
	server *server
	over   time.Duration
	// warm is how long a server is asked before anything is measured.
	warm time.Duration
	// peak is how many single checks a second the server answers at most.
	peak float64
	// cpu is what it takes for one then.
	cpu time.Duration
}

// window is how many checks under way bring the server to its peak.
const window = 64

// warmUp finds the peak: closed loops never offer more than is answered.
func (b *bench) warmUp(ctx context.Context, messages []message) error {
	for _, over := range []time.Duration{b.warm, b.over} {
		s, err := b.closed(ctx, messages, window, over)
		if err != nil {
			return err
		}
		b.peak, b.cpu = s.accepted, s.cpu
	}
	return nil
}

// The addresses that loads come from: those of two tenants from two, for a server
// bounds what is open of one address.
const (
	here      = "127.0.0.1"
	elsewhere = "127.0.0.2"
)

func (b *bench) closed(ctx context.Context, messages []message, window int, over time.Duration) (summary, error) {
	l, err := newLoad(here, b.server.address, messages, false)
	if err != nil {
		return summary{}, err
	}
	began := b.server.cpuTime()
	err = l.closed(ctx, window, over)
	return b.summary(l, over, began), errors.Join(err, l.close())
}

// open is what becomes of a rate, after a time to get used to it.
func (b *bench) open(ctx context.Context, from string, messages []message, rate float64, heed bool) (summary, error) {
	l, err := newLoad(from, b.server.address, messages, heed)
	if err != nil {
		return summary{}, err
	}
	began := b.server.cpuTime()
	err = l.open(ctx, rate, b.over, func() { began = b.server.cpuTime() })
	return b.summary(l, b.over, began), errors.Join(err, l.close())
}

// summary has what the server took as well, from when on it had taken some.
func (b *bench) summary(l *load, over, began time.Duration) summary {
	s := l.record.summary(over)
	if answered := s.accepted * over.Seconds(); answered > 0 {
		s.cpu = time.Duration(float64(b.server.cpuTime()-began) / answered)
	}
	return s
}

// refusal is single checks at shares of the peak.
func (b *bench) refusal(ctx context.Context) error {
	messages, err := checks(customer)
	if err != nil {
		return err
	}
	t := newTable(fmt.Sprintf("single checks, peak %.0f/s at %v", b.peak, b.cpu.Round(10*time.Nanosecond)))
	for _, callers := range []struct {
		name string
		heed bool
	}{{"from callers that heed refusals, as the Go client does", true}, {"from callers that heed nothing", false}} {
		t.group(callers.name)
		for _, share := range []float64{0.5, 1, 1.5, 2, 3} {
			s, err := b.open(ctx, here, messages, share*b.peak, callers.heed)
			if err != nil {
				return err
			}
			t.row(fmt.Sprintf("%.1f × peak", share), s)
		}
	}
	return t.print()
}

// doorless is the echo at shares of its own peak, which is what becomes of callers that
// heed nothing where there is no door.
func (b *bench) doorless(ctx context.Context) error {
	messages, err := checks(customer)
	if err != nil {
		return err
	}
	messages = echoed(messages)
	e := &bench{over: b.over, warm: b.warm}
	if e.server, err = startEcho(ctx, b.server); err != nil {
		return err
	}
	defer func() { _ = e.server.stop() }()
	if err := e.warmUp(ctx, messages); err != nil {
		return err
	}
	t := newTable(fmt.Sprintf("echo of grpc-go, peak %.0f/s at %v", e.peak, e.cpu.Round(10*time.Nanosecond)))
	for _, share := range []float64{0.5, 1, 2} {
		s, err := e.open(ctx, here, messages, share*e.peak, false)
		if err != nil {
			return err
		}
		t.row(fmt.Sprintf("%.1f × peak", share), s)
	}
	return t.print()
}

// batchSize is how many checks a batch has.
const batchSize = 100

// batches is the same with batches.
func (b *bench) batches(ctx context.Context) error {
	messages, err := batches(customer, batchSize)
	if err != nil {
		return err
	}
	most, err := b.closed(ctx, messages, window/4, b.over)
	if err != nil {
		return err
	}
	t := newTable(fmt.Sprintf("batches of %d, peak %.0f/s at %v", batchSize, most.accepted, most.cpu.Round(time.Microsecond)))
	for _, share := range []float64{0.5, 1, 1.5, 2, 3} {
		s, err := b.open(ctx, here, messages, share*most.accepted, false)
		if err != nil {
			return err
		}
		t.row(fmt.Sprintf("%.1f × peak", share), s)
	}
	return t.print()
}

// tenants is a tenant at a tenth of the peak, alone and beside one that floods.
func (b *bench) tenants(ctx context.Context) error {
	mine, err := checks(workforce)
	if err != nil {
		return err
	}
	theirs, err := checks(customer)
	if err != nil {
		return err
	}
	t := newTable(fmt.Sprintf("a tenant at a tenth of the peak, %.0f/s", b.peak))
	alone, err := b.open(ctx, elsewhere, mine, b.peak/10, false)
	if err != nil {
		return err
	}
	t.row("workforce alone", alone)
	for _, share := range []float64{0.5, 1, 2, 3} {
		var flood, beside summary
		done := make(chan error, 1)
		go func() {
			var err error
			flood, err = b.open(ctx, here, theirs, share*b.peak, false)
			done <- err
		}()
		beside, err = b.open(ctx, elsewhere, mine, b.peak/10, false)
		if err := errors.Join(err, <-done); err != nil {
			return err
		}
		t.row(fmt.Sprintf("workforce beside %.1f × peak", share), beside)
		t.row("customer", flood)
	}
	return t.print()
}

// reloads is how often the bundle is replaced, and reloading how long that takes about:
// what changes is read when it has been left alone for a fifth of a second.
const (
	reloads   = 100
	reloading = 40 * time.Second
)

// reload is the bundle replaced under full load.
func (b *bench) reload(ctx context.Context) error {
	messages, err := checks(customer)
	if err != nil {
		return err
	}
	t := newTable("the bundle of both tenants")
	const full = 0.8 // of the peak, which leaves what compiling takes
	for _, replacing := range []bool{false, true} {
		loaded := *b
		if replacing {
			loaded.over = reloading
		}
		under, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		replaced := 0
		go func() {
			var err error
			for replacing && replaced < reloads && err == nil {
				if err = b.server.reload(under); err == nil {
					replaced++
				}
			}
			done <- err
		}()
		s, err := loaded.open(ctx, here, messages, full*b.peak, false)
		stop()
		if failed := <-done; failed != nil && !errors.Is(failed, context.Canceled) {
			err = errors.Join(err, failed)
		}
		if err != nil {
			return err
		}
		t.row(fmt.Sprintf("replaced %d times", replaced), s)
	}
	return t.print()
}

// A table is rows of figures.
type table struct{ out *tabwriter.Writer }

func newTable(title string) *table {
	t := &table{tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)}
	fmt.Fprintf(t.out, "%s\toffered/s\tanswered/s\trefused/s\tnot sent/s\tp50\tp99\tp99.9\trefused in, p99\tCPU per answer\tlate/s\tdenied by error\twrong\tfailed\t\n", title)
	return t
}

func (t *table) group(name string) { fmt.Fprintf(t.out, "%s\t\t\t\t\t\t\t\t\t\t\t\t\t\t\n", name) }

func (t *table) row(name string, s summary) {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	failed := ""
	for _, status := range slices.Sorted(maps.Keys(s.failed)) {
		failed += fmt.Sprintf("%s: %d ", status, s.failed[status])
	}
	fmt.Fprintf(t.out, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%v\t%v\t%v\t%v\t%v\t%.0f\t%d\t%d\t%s\t\n", name, s.offered, s.accepted, s.refused, s.held,
		round(s.p50), round(s.p99), round(s.p999), round(s.refusedP99), s.cpu.Round(10*time.Nanosecond), s.late, s.denied, s.wrong, failed)
}

func (t *table) print() error {
	fmt.Fprintln(t.out)
	return t.out.Flush()
}
