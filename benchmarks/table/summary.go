package table

import (
	"fmt"
	"math"
)

// summary prints, for each engine but the last, the geometric means of its
// ratios to the last, and the smallest.
func (t *table) summary(lines []line) {
	last := t.names[len(t.names)-1]
	groups := []struct {
		title string
		in    func(line) bool
	}{
		{"all", func(line) bool { return true }},
		{"one", func(l line) bool { return l.pattern == one }},
		{"cycling", func(l line) bool { return l.pattern == cycling }},
		{"directory", func(l line) bool { return !l.scenario.Input }},
		{"input", func(l line) bool { return l.scenario.Input }},
	}
	titles := []string{}
	for _, g := range groups {
		titles = append(titles, g.title)
	}
	t.printer.blank()
	leastIn := column{title: "least in", least: t.nameWidth + len(" "+cycling)}
	columns := append([]column{{title: "× " + last}, leastIn}, figures("geometric mean", titles)...)
	t.printer.head(2, append(columns, column{title: "least", unit: "×"}))
	for k, name := range t.names[:len(t.names)-1] {
		cells := []string{name, ""}
		for _, g := range groups {
			cells = append(cells, mean(lines, k, g.in))
		}
		least := math.Inf(1)
		for _, l := range lines {
			if l.ratios[k] != nil && *l.ratios[k] < least {
				least = *l.ratios[k]
				cells[1] = fmt.Sprintf("%s %s", l.scenario.Name, l.pattern)
			}
		}
		if cells[1] == "" {
			continue
		}
		t.printer.row(append(cells, number(least)))
	}
	t.beside(lines)
}

// mean is the geometric mean of an engine's ratios, of some lines.
func mean(lines []line, engine int, in func(line) bool) string {
	sum, n := 0.0, 0
	for _, l := range lines {
		if l.ratios[engine] != nil && in(l) {
			sum += math.Log(*l.ratios[engine])
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return number(math.Exp(sum / float64(n)))
}

// beside prints how many times what a smaller scenario costs a larger one does.
func (t *table) beside(lines []line) {
	printed := false
	for _, large := range lines {
		for _, small := range lines {
			if large.scenario.Beside != small.scenario.Name || large.pattern != small.pattern {
				continue
			}
			if !printed {
				printed = true
				t.printer.blank()
				t.printer.head(3, append(t.labels("row", "questions", "beside"), figures("× beside", t.names)...))
			}
			cells := []string{large.scenario.Name, string(large.pattern), small.scenario.Name}
			for k := range t.names {
				if large.costs[k] == nil || small.costs[k] == nil {
					cells = append(cells, "")
					continue
				}
				cells = append(cells, number(large.costs[k].time/small.costs[k].time))
			}
			t.printer.row(cells)
		}
	}
}
