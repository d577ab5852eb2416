// Command transport measures what a decision costs between the socket and the
// policy: the CPU time of the real server beside that of an untuned grpc-go
// echo of the same messages, and over HTTP of a net/http echo that decodes and
// encodes the same bodies by encoding/json.
//
//	go run ./benchmarks/transport
//
// It builds the verdict binary as a release is, starts it with the shipped customer
// bundle on a small directory, and again on a Unix socket; starts the echo in a process
// of its own; and asks all of them in many short turns, so that whatever else the
// machine does meets all alike. A turn keeps 64 calls in flight on 2 connections.
// What is reported is CPU time of the server's process, the kernel's part
// included: it drifts far less than throughput does, and its ratio within a round
// less still.
//
// The tenant "constant" has the policy allow := true, so that its row is the
// transport with hardly any evaluation. Beside the ratios of the customer policy
// stands what they are held to. Where the machine is busy, look at the ratios
// alone.
//
// The rows of the Go client, api/client, stand beside that client with each check
// in a call of its own: what gathering saves the server.
//
//	go run ./benchmarks/transport -only "Go client"
//
// The rows of ext_authz are the checks that Envoy sends, which the server maps by
// the shipped rule over 300 routes before it decides; the echo is of the same
// messages. By "token" the subject is in a JSON Web Token (ES256), whose signature is
// checked each time, and by "certificate" in that of whoever calls Envoy.
//
//	go run ./benchmarks/transport -only ext_authz
//
// The rows of callers are those of a server that asks who calls, and whether they may:
// over TLS, beside the echo over TLS, and at a Unix socket, beside the echo over TCP.
//
//	go run ./benchmarks/transport -only callers
//
// With -profile the servers tell where their processor time goes, for a release to be
// compiled with:
//
//	go run ./benchmarks/transport -only callers -rounds 300 -profile deploy/release/verdict.pgo
//
// With -verdict name=path, which may be repeated, binaries that were built
// before are measured instead, beside each other: so a change is compared with
// what it changes in one run.
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
	"time"

	"github.com/verdictpdp/verdict/benchmarks/program"
	"golang.org/x/term"
)

// echoVerb is the argument that makes the command the echo server itself.
const echoVerb = "echo"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := measure
	if len(os.Args) > 1 && os.Args[1] == echoVerb {
		run = serveEcho
	}
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "transport:", err)
		os.Exit(1)
	}
}

// A build is a verdict binary to be measured.
type build struct{ name, path string }

type builds []build

func (b *builds) String() string { return fmt.Sprint(*b) }

func (b *builds) Set(text string) error {
	name, path, found := strings.Cut(text, "=")
	if !found || name == "" || path == "" {
		return errors.New("expected name=path")
	}
	*b = append(*b, build{name, path})
	return nil
}

// measure is the command: it starts everything, takes the rounds and prints the
// table.
func measure(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("transport", flag.ContinueOnError)
	var binaries builds
	flags.Var(&binaries, "verdict", "measure the `name=path` of a binary instead of building one; may be repeated")
	rounds := flags.Int("rounds", 60, "how many rounds to take the medians of")
	turn := flags.Duration("turn", 100*time.Millisecond, "how long one server is asked at a time")
	only := flags.String("only", "", "measure only the rows whose name contains this `text`, and the echo")
	profile := flags.String("profile", "", "write a profile of the processor time of the servers to this `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "verdict-transport-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if len(binaries) == 0 {
		path := filepath.Join(dir, "verdict")
		if err := program.Build(ctx, path); err != nil {
			return err
		}
		binaries = builds{{"verdict", path}}
	}

	bench, err := newBench(dir, *only)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bench.close()) }()
	if err := bench.start(ctx, binaries); err != nil {
		return err
	}
	written := func() error { return nil }
	if *profile != "" {
		written = bench.profile(ctx, *profile, *turn, *rounds)
	}
	for round := range *rounds {
		showProgress("round %d of %d", round+1, *rounds)
		if err := bench.round(ctx, *turn); err != nil {
			return err
		}
	}
	showProgress("")
	return errors.Join(bench.print(os.Stdout), written())
}

// showProgress writes over the line before, on a terminal.
func showProgress(format string, args ...any) {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprintf(os.Stderr, "\r\x1b[K"+format, args...)
	}
}
