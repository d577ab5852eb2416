package table

import (
	"fmt"
	"math"
	"slices"
)

// A target is what a figure of the last engine is to reach.
type target struct {
	what    string
	bound   float64
	unit    string
	atLeast bool // and not at most
	// measured finds the figure, and says of what it is where that is not plain.
	// It is false for a run that says nothing about the target.
	measured func(r results) (value float64, of string, is bool)
}

// targets are what the compiled evaluator is held to. A figure of several
// patterns has a target for each.
func targets() []target {
	all := []target{
		{"geometric mean over topdown", 25, "×", true, meanOver("topdown", func(line) bool { return true })},
		{"least over topdown", 3, "×", true, leastOver("topdown")},
		{"geometric mean over cedar, entities in the directory", 5, "×", true, meanOver("cedar", func(l line) bool { return !l.scenario.Input })},
	}
	time := func(c cost) float64 { return c.time / 1e3 }
	// A rare growth of a pool is no allocation of a decision.
	allocs := func(c cost) float64 { return math.Round(c.allocs*10) / 10 }
	for _, p := range patterns() {
		all = append(all,
			target{"customer-decide, " + string(p), 1, "µs", false, costOf("customer-decide", p, time)},
			target{"customer-decide, " + string(p), 4, "allocations", false, costOf("customer-decide", p, allocs)},
			target{"workforce-decide, " + string(p), 2, "µs", false, costOf("workforce-decide", p, time)},
			target{"workforce-decide, " + string(p), 8, "allocations", false, costOf("workforce-decide", p, allocs)},
			target{"rules-5000 beside rules-1, " + string(p), 1.5, "×", false, besides("rules-5000", "rules-1", p)},
		)
	}
	return append(all,
		target{"activation-workforce", 250, "ms", false, activationOf("activation-workforce")},
		target{"activation-rules-5000", 3_000, "ms", false, activationOf("activation-rules-5000")},
	)
}

// results are all that was measured.
type results struct {
	names       []string // of the engines
	lines       []line
	activations map[string]float64 // milliseconds, of the last engine
}

// line is the line of a row and pattern, if it was measured.
func (r results) line(row string, p pattern) (line, bool) {
	at := slices.IndexFunc(r.lines, func(l line) bool { return l.scenario.Name == row && l.pattern == p })
	if at < 0 || r.last(r.lines[at]) == nil {
		return line{}, false
	}
	return r.lines[at], true
}

// last is what the last engine took.
func (r results) last(l line) *cost { return l.costs[len(r.names)-1] }

type finder func(results) (value float64, of string, is bool)

func meanOver(engine string, in func(line) bool) finder {
	return func(r results) (float64, string, bool) {
		ratios := ratiosOf(r.lines, slices.Index(r.names, engine), in)
		return geometricMean(ratios), fmt.Sprintf("%d lines", len(ratios)), len(ratios) > 0
	}
}

func leastOver(engine string) finder {
	return func(r results) (float64, string, bool) {
		ratio, l, is := least(r.lines, slices.Index(r.names, engine))
		return ratio, l.name(), is
	}
}

func costOf(row string, p pattern, part func(cost) float64) finder {
	return func(r results) (float64, string, bool) {
		l, is := r.line(row, p)
		if !is {
			return 0, "", false
		}
		return part(*r.last(l)), "", true
	}
}

func besides(large, small string, p pattern) finder {
	return func(r results) (float64, string, bool) {
		l, isLarge := r.line(large, p)
		s, isSmall := r.line(small, p)
		if !isLarge || !isSmall {
			return 0, "", false
		}
		return r.last(l).time / r.last(s).time, "", true
	}
}

func activationOf(row string) finder {
	return func(r results) (float64, string, bool) {
		value, is := r.activations[row]
		return value, "", is
	}
}

// printTargets prints the targets that the run says something about, and
// whether they were met.
func (t *table) printTargets(r results) {
	var rows [][]string
	for _, aim := range targets() {
		value, of, is := aim.measured(r)
		if !is {
			continue
		}
		what := aim.what
		if of != "" {
			what += ": " + of
		}
		rows = append(rows, []string{what, aim.unit, aim.wanted(), number(value), aim.verdict(value)})
	}
	if len(rows) == 0 {
		return
	}
	t.printer.blank()
	columns := []column{{title: "of " + t.names[len(t.names)-1]}, {title: "unit"}, {title: "target"}, {title: "measured"}, {title: ""}}
	for i := range columns {
		for _, row := range rows {
			columns[i].least = max(columns[i].least, len([]rune(row[i])))
		}
	}
	t.printer.head(2, columns)
	for _, row := range rows {
		t.printer.row(row)
	}
}

func (aim target) wanted() string {
	if aim.atLeast {
		return fmt.Sprintf("≥ %v", aim.bound)
	}
	return fmt.Sprintf("≤ %v", aim.bound)
}

func (aim target) verdict(value float64) string {
	if aim.atLeast == (value >= aim.bound) || value == aim.bound {
		return "met"
	}
	return "missed"
}
