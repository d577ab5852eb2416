// Command overload measures what a server does with more than it can do.
//
//	go run ./benchmarks/overload
//
// It builds the verdict binary as a release is, starts it with the shipped customer
// bundle for two tenants, and offers it load in an open loop: calls are sent when they are
// due, however long the answers take, and their time is counted from when they were due.
// So a server that keeps its callers waiting cannot hide it (coordinated omission). A
// call has a second from when it was due. The server is told what is left of it when the
// call is sent; one that is not answered by then is cancelled, and counts as late, be it
// answered after all.
//
// The server has one half of the processors and what asks it the other, where
// taskset pins them; on two cores that is a server of one. A call costs a gRPC
// client as much as the server, so that the load speaks just enough of HTTP/2 itself.
//
// Before it, the server is asked for a minute (-warm), for its heap to get the size that it
// has under load.
//
// Six tables come of it: "refusal" is single checks at shares of what the server can
// do at most, "echo" is the same of an echo of grpc-go that has no door, at shares of what
// that can do, "batches" is the first with batches of 100, "tenants" is a tenant alone and
// beside another that floods, "reload" is the bundle replaced again and again under full
// load, and "backup" is half of what it can do while all is backed up, a million users
// among it (-crowd). With -only one of them is measured. With -verdict a binary that was
// built before is, and with -store the users are there from the time before.
//
// The two tenants ask from two addresses, as callers of two tenants do: a server bounds
// how many calls of one address are open (limits.calls_per_peer). A deny for an error,
// such as of an evaluation that was kept from its processor for longer than it may take,
// is counted by itself, and is no wrong answer.
//
// Start with measure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/verdictpdp/verdict/benchmarks/program"
)

func main() {
	if os.Getenv(echoing) != "" { // which a signal ends
		fmt.Fprintln(os.Stderr, "overload: echo:", serveEcho())
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "overload:", err)
		os.Exit(1)
	}
}

// measure is the command.
func measure(ctx context.Context, args []string) (err error) {
	if _, isPinned := os.LookupEnv(forServer); !isPinned {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		lower, upper := halves()
		command := pinnedTo(upper, append([]string{self}, args...)...)
		command.Env = append(os.Environ(), forServer+"="+lower)
		command.Stdout, command.Stderr = os.Stdout, os.Stderr
		return command.Run()
	}
	flags := flag.NewFlagSet("overload", flag.ContinueOnError)
	binary := flags.String("verdict", "", "measure the binary at this `path` instead of building one")
	over := flags.Duration("time", 10*time.Second, "how long each row is measured")
	warm := flags.Duration("warm", time.Minute, "how long the server is asked before, for its heap to get the size that it has under load")
	only := flags.String("only", "", "measure only this table: refusal, echo, batches, tenants, reload or backup")
	crowd := flags.Int("crowd", 1_000_000, "how many users there are besides, for the table backup")
	kept := flags.String("store", "", "keep what is served in this `directory`, and use it again; -crowd must be what it was")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir := *kept
	if dir == "" {
		if dir, err = os.MkdirTemp("", "verdict-overload-*"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	if *binary == "" {
		*binary = filepath.Join(dir, "verdict")
		if err := program.Build(ctx, *binary); err != nil {
			return err
		}
	}
	if !strings.Contains("backup", *only) {
		*crowd = 0
	}
	s, err := start(ctx, *binary, dir, *crowd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	b := &bench{server: s, over: *over, warm: *warm}
	messages, err := checks(customer)
	if err != nil {
		return err
	}
	if err := b.warmUp(ctx, messages); err != nil {
		return err
	}
	for _, t := range []struct {
		name    string
		measure func(context.Context) error
	}{{"refusal", b.refusal}, {"echo", b.doorless}, {"batches", b.batches}, {"tenants", b.tenants}, {"reload", b.reload}, {"backup", b.backup}} {
		if !strings.Contains(t.name, *only) {
			continue
		}
		if err := t.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}
