// Command extauthz measures what one of Envoy's checks costs: the CPU time of the
// real server, which maps it by the shipped rule and decides it, beside that of an
// untuned grpc-go echo of the same messages.
//
//	go run ./benchmarks/extauthz
//
// It builds the verdict binary, starts it with a table of 300 routes and a policy
// that reads the directory, starts the echo in a process of its own, and asks both in
// many short turns, so that whatever else the machine does meets both alike. The row
// "token" has the subject in a JSON Web Token (ES256), whose signature is checked
// each time, and the other in the certificate of whoever calls Envoy.
//
// What is reported is CPU time of the server's process, as in benchmarks/transport.
// Start with measure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// echoVerb is the argument that makes the command the echo itself.
const echoVerb = "echo"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := measure
	if len(os.Args) > 1 && os.Args[1] == echoVerb {
		run = serveEcho
	}
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "extauthz:", err)
		os.Exit(1)
	}
}

// most is the ratio to the echo that a check by a certificate is held to.
const most = 1.5

// measure is the command: it starts both servers, takes the rounds and prints the
// table.
func measure(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("extauthz", flag.ContinueOnError)
	rounds := flags.Int("rounds", 60, "how many rounds to take the medians of")
	turn := flags.Duration("turn", 100*time.Millisecond, "how long one server is asked at a time")
	binary := flags.String("verdict", "", "measure the binary at this `path` instead of building one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "verdict-extauthz-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if *binary == "" {
		*binary = filepath.Join(dir, "verdict")
		if output, err := exec.CommandContext(ctx, "go", "build", "-o", *binary, "github.com/verdictpdp/verdict/cmd/verdict").CombinedOutput(); err != nil {
			return fmt.Errorf("building verdict: %w\n%s", err, output)
		}
	}
	w, err := newWorld(dir)
	if err != nil {
		return err
	}
	verdict, err := startVerdict(ctx, *binary, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, verdict.stop()) }()
	if err := w.save(ctx, verdict, dir); err != nil {
		return err
	}
	echo, err := startEcho(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, echo.stop()) }()

	var rows []row
	for _, l := range w.loads {
		rows = append(rows, row{name: l.name, load: l})
	}
	for range *rounds {
		for i := range rows {
			if err := rows[i].round(ctx, echo, verdict, *turn); err != nil {
				return err
			}
		}
	}
	return printRows(rows)
}

// A row is what was measured of one load: µs a check of each round.
type row struct {
	name          string
	load          load
	echo, verdict []float64
}

// round asks both servers for a turn.
func (r *row) round(ctx context.Context, echo, verdict *server, turn time.Duration) error {
	for _, at := range []struct {
		server *server
		cost   *[]float64
	}{{echo, &r.echo}, {verdict, &r.verdict}} {
		before, err := cpuTime(at.server.command.Process.Pid)
		if err != nil {
			return err
		}
		calls, err := at.server.drive(ctx, r.load, turn)
		if err != nil {
			return err
		}
		after, err := cpuTime(at.server.command.Process.Pid)
		if err != nil {
			return err
		}
		*at.cost = append(*at.cost, (after-before).Seconds()*1e6/float64(calls))
	}
	return nil
}

func printRows(rows []row) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "subject by\techo, µs CPU\tverdict, µs CPU\t× echo\tquartiles\t\ttarget\t")
	for _, r := range rows {
		ratios := make([]float64, len(r.echo))
		for i := range ratios {
			ratios[i] = r.verdict[i] / r.echo[i]
		}
		target := ""
		if r.name == byCertificate {
			target = fmt.Sprintf("≤ %.1f", most)
		}
		fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%s\t\n", r.name,
			quantile(r.echo, 0.5), quantile(r.verdict, 0.5), quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75), target)
	}
	return table.Flush()
}

// quantile is the value that a part of the values does not pass.
func quantile(values []float64, part float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(part*float64(len(sorted)-1)+0.5)]
}
