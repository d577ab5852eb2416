package table

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
)

// Main is a command that prints the table of some engines, the last of which is
// the one that the others are compared with. It returns the exit code: 1 where
// engines disagree or fail, 2 for flags that it does not understand.
func Main(ctx context.Context, arguments []string, out, progress io.Writer, all []engines.Engine) int {
	o, err := parse(arguments, progress)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	t := newTable(o, scenario.All(o.users), scenario.Activations(), all, out, progress)
	if err := t.print(ctx); err != nil {
		fmt.Fprintln(progress, "error:", err)
		return 1
	}
	return 0
}

// options are the command's flags.
type options struct {
	run      *regexp.Regexp
	rounds   int
	turn     time.Duration
	users    int
	markdown bool
	list     bool
}

func parse(arguments []string, out io.Writer) (options, error) {
	o := options{run: regexp.MustCompile("")}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Func("run", "measure the rows whose names match this `regexp` alone", func(text string) (err error) {
		o.run, err = regexp.Compile(text)
		return err
	})
	flags.IntVar(&o.rounds, "rounds", 7, "turns that each engine takes for a figure")
	flags.DurationVar(&o.turn, "turn", 50*time.Millisecond, "least time of a turn")
	flags.IntVar(&o.users, "users", scenario.Users, "users in the directories of the shipped bundles")
	flags.BoolVar(&o.markdown, "markdown", false, "print markdown")
	flags.BoolVar(&o.list, "list", false, "list the rows, and measure none")
	if err := flags.Parse(arguments[1:]); err != nil {
		return o, err
	}
	if o.rounds < 1 || o.users < 1_000 || flags.NArg() > 0 {
		fmt.Fprintln(out, "error: give at least one round and 1000 users, and flags alone")
		return o, errors.New("not understood")
	}
	return o, nil
}
