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
	// peak is how many single checks a second the server answers at most.
	peak float64
	// cpu is what it takes for one then.
	cpu time.Duration
}

// window is how many checks under way bring the server to its peak.
const window = 64

// warmUp finds the peak: closed loops never offer more than is answered.
func (b *bench) warmUp(ctx context.Context) error {
	messages, err := checks(customer)
	if err != nil {
		return err
	}
	for _, over := range []time.Duration{2 * time.Second, b.over} {
		s, err := b.closed(ctx, messages, window, over)
		if err != nil {
			return err
		}
		b.peak, b.cpu = s.accepted, s.cpu
	}
	return nil
}

func (b *bench) closed(ctx context.Context, messages []message, window int, over time.Duration) (summary, error) {
	l, err := newLoad(b.server.address, messages, false)
	if err != nil {
		return summary{}, err
	}
	began := b.server.cpuTime()
	err = l.closed(ctx, window, over)
	return b.summary(l, over, began), errors.Join(err, l.close())
}

// open is what becomes of a rate, after a time to get used to it.
func (b *bench) open(ctx context.Context, messages []message, rate float64, heed bool) (summary, error) {
	l, err := newLoad(b.server.address, messages, heed)
	if err != nil {
		return summary{}, err
	}
	err = l.open(ctx, rate, time.Second)
	l.record.reset()
	began := b.server.cpuTime()
	if err == nil {
		err = l.open(ctx, rate, b.over)
	}
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
			s, err := b.open(ctx, messages, share*b.peak, callers.heed)
			if err != nil {
				return err
			}
			t.row(fmt.Sprintf("%.1f × peak", share), s)
		}
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
		s, err := b.open(ctx, messages, share*most.accepted, false)
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
	alone, err := b.open(ctx, mine, b.peak/10, false)
	if err != nil {
		return err
	}
	t.row("workforce alone", alone)
	for _, share := range []float64{0.5, 1, 2, 3} {
		var flood, beside summary
		done := make(chan error, 1)
		go func() {
			var err error
			flood, err = b.open(ctx, theirs, share*b.peak, false)
			done <- err
		}()
		beside, err = b.open(ctx, mine, b.peak/10, false)
		if err := errors.Join(err, <-done); err != nil {
			return err
		}
		t.row(fmt.Sprintf("workforce beside %.1f × peak", share), beside)
		t.row("customer", flood)
	}
	return t.print()
}

// reloads is how often the bundle is replaced.
const reloads = 100

// reload is the bundle replaced under full load.
func (b *bench) reload(ctx context.Context) error {
	messages, err := checks(customer)
	if err != nil {
		return err
	}
	t := newTable(fmt.Sprintf("the bundle of both tenants, %d times", reloads))
	l, err := newLoad(b.server.address, messages, false)
	if err != nil {
		return err
	}
	defer l.close()
	over := max(b.over, 20*time.Second)
	const full = 0.8 // of the peak, which leaves what compiling takes
	for _, reloading := range []bool{false, true} {
		l.record.reset()
		ctx, cancel := context.WithCancelCause(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := 0; reloading && n < reloads && ctx.Err() == nil; n++ {
				if err := b.server.reload(n); err != nil {
					cancel(err)
				}
				time.Sleep(over / reloads)
			}
		}()
		err := l.open(ctx, full*b.peak, over)
		<-done
		cancel(nil)
		if err != nil {
			return err
		}
		t.row(map[bool]string{false: "left alone", true: "replaced"}[reloading], l.record.summary(over))
	}
	return t.print()
}

// A table is rows of figures.
type table struct{ out *tabwriter.Writer }

func newTable(title string) *table {
	t := &table{tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)}
	fmt.Fprintf(t.out, "%s\toffered/s\tanswered/s\trefused/s\tnot sent/s\tp50\tp99\tp99.9\trefused in, p99\tCPU per answer\tlate\twrong\tfailed\t\n", title)
	return t
}

func (t *table) group(name string) { fmt.Fprintf(t.out, "%s\t\t\t\t\t\t\t\t\t\t\t\t\t\n", name) }

func (t *table) row(name string, s summary) {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	failed := ""
	for _, status := range slices.Sorted(maps.Keys(s.failed)) {
		failed += fmt.Sprintf("%s: %d ", status, s.failed[status])
	}
	fmt.Fprintf(t.out, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%v\t%v\t%v\t%v\t%v\t%d\t%d\t%s\t\n", name, s.offered, s.accepted, s.refused, s.held,
		round(s.p50), round(s.p99), round(s.p999), round(s.refusedP99), s.cpu.Round(10*time.Nanosecond), s.late, s.wrong, failed)
}

func (t *table) print() error {
	fmt.Fprintln(t.out)
	return t.out.Flush()
}
