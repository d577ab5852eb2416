// Command sidecar measures what Verdict takes of a pod that it stands beside: the size
// of the program, how long it takes until it is ready, and how much memory it keeps when
// nobody asks, with 10,000 entities and the customer bundle.
//
//	go run ./benchmarks/sidecar
//
// Ready is from when the process is started until /readyz says so over a Unix socket,
// without the bundle's own tests and with them: they take most of the time, and a pod
// has no need to repeat what was tried when the bundle was made. The processor time
// depends less on what else the machine does. Memory is what the system counts as
// resident, the program's own pages included, once it does not change for some seconds:
// after the start, and after each entity was asked about.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/verdictpdp/verdict/benchmarks/program"
)

// entities is how many the directory holds.
const entities = 10_000

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "sidecar: %s\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	binary := flag.String("binary", "", "the verdict `program`; built as a release is if not given")
	starts := flag.Int("starts", 9, "how often it is started; the median counts")
	flag.Parse()
	if *starts < 1 {
		return fmt.Errorf("-starts %d: expected a number above zero", *starts)
	}
	dir, err := os.MkdirTemp("", "verdict-sidecar-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if *binary == "" {
		*binary = filepath.Join(dir, "verdict")
		if err := program.Build(ctx, *binary); err != nil {
			return err
		}
	}
	info, err := os.Stat(*binary)
	if err != nil {
		return err
	}
	s := sidecar{binary: *binary, dir: dir}
	if err := s.prepare(ctx); err != nil {
		return err
	}
	plain, err := s.measure(ctx, *starts)
	if err != nil {
		return err
	}
	s.tests = true
	tested, err := s.measure(ctx, *starts)
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "figure\ttarget\tmeasured\twith the bundle's tests")
	fmt.Fprintf(out, "program\t< 50 MB\t%.1f MB\t\n", float64(info.Size())/1e6)
	fmt.Fprintf(out, "ready, median of %d\t< 300 ms\t%s\t%s\n", *starts, plain.ready, tested.ready)
	fmt.Fprintf(out, "processor time until then\t\t%s\t%s\n", plain.busy, tested.busy)
	fmt.Fprintf(out, "resident, idle after the start\t< 48 MiB\t%s\t%s\n", plain.idle, tested.idle)
	fmt.Fprintf(out, "resident, idle after %d questions\t\t%s\t%s\n", entities, plain.asked, tested.asked)
	return out.Flush()
}

// figures are what was measured of one way to start.
type figures struct {
	ready, busy times
	idle, asked memory
}

func (s sidecar) measure(ctx context.Context, starts int) (f figures, err error) {
	if err := s.configure(); err != nil {
		return figures{}, err
	}
	for i := range starts {
		ready, busy, err := s.start(ctx, func(pid int) (err error) {
			if i > 0 {
				return nil
			}
			if f.idle, err = settled(ctx, pid); err != nil {
				return err
			}
			if err := s.askAll(ctx); err != nil {
				return err
			}
			f.asked, err = settled(ctx, pid)
			return err
		})
		if err != nil {
			return figures{}, err
		}
		f.ready, f.busy = append(f.ready, ready), append(f.busy, busy)
	}
	return f, nil
}

// times are those of several starts.
type times []time.Duration

// String is the median, the least and the most.
func (t times) String() string {
	slices.Sort(t)
	return fmt.Sprintf("%d ms (%d to %d)", t[len(t)/2].Milliseconds(), t[0].Milliseconds(), t[len(t)-1].Milliseconds())
}
