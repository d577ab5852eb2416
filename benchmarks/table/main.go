package table

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

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
	t := &table{options: o, engines: all, printer: &printer{out: out, markdown: o.markdown}, progress: progress}
	for _, engine := range all {
		t.names = append(t.names, engine.Name())
	}
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

// A table is what is printed.
type table struct {
	options
	engines  []engines.Engine
	names    []string
	printer  *printer
	progress io.Writer
}

const numberWidth = 8

// print measures and prints everything that was asked for.
func (t *table) print(ctx context.Context) error {
	var chosen []scenario.Scenario
	for _, s := range scenario.All(t.users) {
		if t.run.MatchString(s.Name) {
			chosen = append(chosen, s)
		}
	}
	var activations []scenario.Activation
	for _, a := range scenario.Activations() {
		if t.run.MatchString(a.Name) {
			activations = append(activations, a)
		}
	}
	if len(chosen)+len(activations) == 0 {
		return fmt.Errorf("no row matches %q: -list says which there are", t.run)
	}
	if t.list {
		t.printList(chosen, activations)
		return nil
	}
	// One thread, so that the collector's work is not beside the decisions.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if len(chosen) > 0 {
		if err := t.decisions(ctx, chosen); err != nil {
			return err
		}
	}
	return t.activations(ctx, activations)
}

func (t *table) printList(chosen []scenario.Scenario, activations []scenario.Activation) {
	t.printer.head(2, []string{"row", "what is decided"}, func(int) int { return t.nameWidth() })
	for _, s := range chosen {
		t.printer.row([]string{s.Name, s.What})
	}
	for _, a := range activations {
		t.printer.row([]string{a.Name, a.What})
	}
}

// decisions measures scenarios one by one, and prints each when it is done.
func (t *table) decisions(ctx context.Context, chosen []scenario.Scenario) error {
	titles := []string{"row", "questions"}
	for _, unit := range []string{"µs", "allocs"} {
		for _, name := range t.names {
			titles = append(titles, name+" "+unit)
		}
	}
	for _, name := range t.names[:len(t.names)-1] {
		titles = append(titles, name+"/"+t.names[len(t.names)-1])
	}
	t.printer.head(2, titles, t.leastWidth)
	var lines []line
	for i, s := range chosen {
		t.report("%d of %d: %s, %s", i+1, len(chosen), s.Name, s.What)
		measured, err := t.scenario(ctx, s)
		t.report("")
		if err != nil {
			return err
		}
		for _, l := range measured {
			t.printLine(l)
		}
		lines = append(lines, measured...)
	}
	t.summary(lines)
	return nil
}

// scenario makes sure that the engines agree, and measures them.
func (t *table) scenario(ctx context.Context, s scenario.Scenario) ([]line, error) {
	w, err := s.World()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	r, err := Open(ctx, s, w, t.engines)
	if err != nil {
		return nil, err
	}
	if err := r.Agree(); err != nil {
		return nil, err
	}
	m := newMeter()
	defer m.close()
	var lines []line
	for _, p := range patterns() {
		l, err := r.measure(m, p, t.rounds, t.turn)
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func (t *table) printLine(l line) {
	cells := []string{l.scenario.Name, string(l.pattern)}
	figure := func(c *cost, of func(c cost) string) string {
		if c == nil {
			return ""
		}
		return of(*c)
	}
	for _, c := range l.costs {
		cells = append(cells, figure(c, func(c cost) string { return number(c.time / 1e3) }))
	}
	for _, c := range l.costs {
		cells = append(cells, figure(c, func(c cost) string { return count(c.allocs) }))
	}
	for _, ratio := range l.ratios[:len(l.ratios)-1] {
		if ratio == nil {
			cells = append(cells, "")
		} else {
			cells = append(cells, number(*ratio))
		}
	}
	t.printer.row(cells)
}

// activations measures how long it takes until a policy is ready.
func (t *table) activations(ctx context.Context, chosen []scenario.Activation) error {
	if len(chosen) == 0 {
		return nil
	}
	t.printer.blank()
	titles := []string{"row", ""}
	for _, name := range t.names {
		titles = append(titles, name+" ms")
	}
	t.printer.head(2, titles, t.leastWidth)
	for _, a := range chosen {
		b, err := a.Bundle()
		if err != nil {
			return fmt.Errorf("%s: %w", a.Name, err)
		}
		activate := make([]func(int) error, len(t.engines))
		for k, engine := range t.engines {
			if activator, can := engine.(engines.Activator); can {
				activate[k] = func(int) error { return activator.Activate(ctx, b) }
			}
		}
		t.report("%s, %s", a.Name, a.What)
		// It makes far more garbage than is live: the collector belongs to it.
		costs, err := compare(&meter{}, activate, 1, t.rounds, 0)
		t.report("")
		if err != nil {
			return fmt.Errorf("%s: %w", a.Name, err)
		}
		cells := []string{a.Name, ""}
		for _, rounds := range costs {
			if rounds == nil {
				cells = append(cells, "")
				continue
			}
			cells = append(cells, number(middle(rounds).time/1e6))
		}
		t.printer.row(cells)
	}
	return nil
}

// nameWidth is the width of the longest name of a row.
func (t *table) nameWidth() int {
	width := 0
	for _, s := range scenario.All(t.users) {
		width = max(width, utf8.RuneCountInString(s.Name))
	}
	return width
}

func (t *table) leastWidth(column int) int {
	switch column {
	case 0:
		return t.nameWidth()
	case 1:
		return 0
	default:
		return numberWidth
	}
}

// report says on one line of a terminal what is being done.
func (t *table) report(format string, args ...any) {
	if file, isFile := t.progress.(*os.File); !isFile || !term.IsTerminal(int(file.Fd())) {
		return
	}
	const clear = "\r\x1b[K"
	fmt.Fprint(t.progress, clear+strings.TrimSpace(fmt.Sprintf(format, args...)))
}
