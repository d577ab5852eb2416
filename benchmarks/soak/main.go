// Command soak runs the real server for a time under all that happens to one, at
// once, and sees that it comes out as it went in.
//
//	go run ./benchmarks/soak -time 1h
//	go run ./benchmarks/soak -time 3m
//
// It builds the verdict binary and serves two tenants, a workforce and customers.
// Steady checks over gRPC and HTTP, batches and searches are asked whose answers
// are known, and each answer is looked at. Meanwhile bundles are replaced by others
// and by broken ones, entities are written, imported, exported and watched, backups
// are taken, clients leave and come back, connections break off in the middle, and
// one tenant is flooded. The last backup is restored in the end, and held to what
// the server exports.
//
// The time goes by in rounds. At the end of each everything pauses, the server
// collects its garbage, and its memory, goroutines and file descriptors are looked
// at. The soak fails, with exit code 1, where the last quarter of the rounds has
// more of any than the second, beyond what Slack of a measure allows, or where
// anything went wrong that was not asked for: an answer that is not the known one,
// a call that failed, a line of level error in the server's log. Work that the
// server refuses as overloaded is counted; only a flooded tenant may be refused.
//
// Start with soak.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/verdictpdp/verdict/benchmarks/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	during := flags.Duration("time", 3*time.Minute, "how long to go on, at least 1m")
	binary := flags.String("verdict", "", "a verdict `binary`; built from this checkout if empty")
	if err := flags.Parse(arguments); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 || *during < time.Minute {
		return errors.New("expected -time of at least 1m, and no arguments")
	}
	dir, err := os.MkdirTemp("", "verdict-soak-")
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
	return soak(ctx, dir, *binary, *during)
}

// soak runs the rounds.
func soak(ctx context.Context, dir, binary string, during time.Duration) (err error) {
	fmt.Println("making the worlds and their directories")
	worlds, err := newWorlds(ctx, during)
	if err != nil {
		return err
	}
	server, err := start(ctx, dir, binary, worlds)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()

	ledger := newLedger()
	work := newWork(server, worlds, ledger)
	pause := newPause()
	working, end := context.WithCancel(ctx)
	defer end()
	ended := work.begin(working, pause)
	defer work.close()

	rounds := roundsOf(during)
	fmt.Printf("%d rounds of %v at %s, process %d\n", rounds.count, rounds.length, server.grpc, server.pid())
	samples := make([]sample, 0, rounds.count)
	for n := range rounds.count {
		if !sleep(ctx, rounds.length) {
			return ctx.Err()
		}
		if err := pause.rest(ctx); err != nil {
			return errors.Join(fmt.Errorf("round %d: not everything paused: %w", n+1, err), ledger.verdict())
		}
		s, err := server.look(ctx)
		pause.over()
		if err != nil {
			return fmt.Errorf("round %d: %w", n+1, err)
		}
		samples = append(samples, s)
		fmt.Printf("%3d  %s  %s\n", n+1, s, ledger.round())
	}
	end()
	ended()
	errs := []error{compare(samples), ledger.verdict(), server.complaints(), work.restore(ctx)}
	ledger.print(os.Stdout)
	return errors.Join(errs...)
}

// rounds are how a time is divided.
type rounds struct {
	count  int
	length time.Duration
}

// roundsOf are enough rounds to compare their quarters, and each long enough for
// every kind of work to be done in it.
func roundsOf(during time.Duration) rounds {
	count := min(max(int(during/(15*time.Second)), 8), 40)
	return rounds{count, during / time.Duration(count)}
}

// sleep waits, and reports whether ctx lasted.
func sleep(ctx context.Context, during time.Duration) bool {
	timer := time.NewTimer(during)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
