package table

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/verdictpdp/verdict/benchmarks/engines"
	"github.com/verdictpdp/verdict/benchmarks/scenario"
)

// A table is what is printed.
type table struct {
	options
	scenarios   []scenario.Scenario
	activations []scenario.Activation
	engines     []engines.Engine
	names       []string // of the engines
	nameWidth   int      // of the rows
	printer     *printer
	progress    io.Writer
}

// newTable is a table of those rows that are asked for.
func newTable(o options, scenarios []scenario.Scenario, activations []scenario.Activation, all []engines.Engine, out, progress io.Writer) *table {
	t := &table{options: o, engines: all, printer: &printer{out: out, markdown: o.markdown}, progress: progress}
	for _, s := range scenarios {
		if o.run.MatchString(s.Name) {
			t.scenarios = append(t.scenarios, s)
			t.nameWidth = max(t.nameWidth, len(s.Name))
		}
	}
	for _, a := range activations {
		if o.run.MatchString(a.Name) {
			t.activations = append(t.activations, a)
			t.nameWidth = max(t.nameWidth, len(a.Name))
		}
	}
	for _, engine := range all {
		t.names = append(t.names, engine.Name())
	}
	return t
}

// print measures and prints everything.
func (t *table) print(ctx context.Context) error {
	if len(t.scenarios)+len(t.activations) == 0 {
		return fmt.Errorf("no row matches %q: -list says which there are", t.run)
	}
	if t.list {
		t.printList()
		return nil
	}
	// One thread, so that the collector's work is not beside the decisions.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := results{names: t.names}
	var err error
	if len(t.scenarios) > 0 {
		if r.lines, err = t.measureDecisions(ctx); err != nil {
			return err
		}
	}
	if len(t.activations) > 0 {
		if r.activations, err = t.measureActivations(ctx); err != nil {
			return err
		}
	}
	t.printTargets(r)
	return nil
}

func (t *table) printList() {
	t.printer.head(2, t.labels("row", "what is measured"))
	for _, s := range t.scenarios {
		t.printer.row([]string{s.Name, s.What})
	}
	for _, a := range t.activations {
		t.printer.row([]string{a.Name, a.What})
	}
}

// measureDecisions measures scenarios one by one, and prints each when it is
// done.
func (t *table) measureDecisions(ctx context.Context) ([]line, error) {
	columns := t.labels("row", "questions")
	for _, unit := range []string{"µs", "allocations"} {
		columns = append(columns, figures(unit, t.names)...)
	}
	last := len(t.names) - 1
	t.printer.head(2, append(columns, figures("× "+t.names[last], t.names[:last])...))
	var lines []line
	for i, s := range t.scenarios {
		t.report("%d of %d: %s, %s", i+1, len(t.scenarios), s.Name, s.What)
		measured, err := t.measure(ctx, s)
		t.report("")
		if err != nil {
			return nil, err
		}
		for _, l := range measured {
			t.printLine(l)
		}
		lines = append(lines, measured...)
	}
	t.summary(lines)
	return lines, nil
}

// warmTurns is for how many turns' time engines are warmed.
const warmTurns = 20

// measure makes sure that the engines agree, and measures them.
func (t *table) measure(ctx context.Context, s scenario.Scenario) ([]line, error) {
	w, err := s.World()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	r, err := Open(ctx, s, w, t.engines)
	if err != nil {
		return nil, err
	}
	if err := r.warm(warmTurns * t.turn); err != nil {
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

// measureActivations measures how long it takes until a policy is ready, and
// returns what the last engine takes, in milliseconds.
func (t *table) measureActivations(ctx context.Context) (map[string]float64, error) {
	if len(t.scenarios) > 0 {
		t.printer.blank()
	}
	t.printer.head(1, append(t.labels("row"), figures("ms", t.names)...))
	taken := make(map[string]float64)
	for _, a := range t.activations {
		b, err := a.Bundle()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Name, err)
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
			return nil, fmt.Errorf("%s: %w", a.Name, err)
		}
		cells := []string{a.Name}
		for k, rounds := range costs {
			if rounds == nil {
				cells = append(cells, "")
				continue
			}
			took := middle(rounds).time / 1e6
			cells = append(cells, number(took))
			if k == len(costs)-1 {
				taken[a.Name] = took
			}
		}
		t.printer.row(cells)
	}
	return taken, nil
}

// labels are columns of text, of which row and beside have room for a row's name.
func (t *table) labels(titles ...string) []column {
	columns := make([]column, len(titles))
	for i, title := range titles {
		columns[i].title = title
		if title == "row" || title == "beside" {
			columns[i].least = t.nameWidth
		}
	}
	return columns
}

// figures are columns of numbers of a unit.
func figures(unit string, titles []string) []column {
	const width = 7
	columns := make([]column, len(titles))
	for i, title := range titles {
		columns[i] = column{title: title, unit: unit, least: width}
	}
	return columns
}

// report says on one line of a terminal what is being done.
func (t *table) report(format string, args ...any) {
	if file, isFile := t.progress.(*os.File); !isFile || !term.IsTerminal(int(file.Fd())) {
		return
	}
	const clear = "\r\x1b[K"
	fmt.Fprint(t.progress, clear+strings.TrimSpace(fmt.Sprintf(format, args...)))
}
