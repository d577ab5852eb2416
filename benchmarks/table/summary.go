package table

import "math"

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
		ratio, l, is := least(lines, k)
		if !is {
			continue
		}
		cells[1] = l.name()
		t.printer.row(append(cells, number(ratio)))
	}
	t.beside(lines)
}

// mean is the geometric mean of an engine's ratios, of some lines.
func mean(lines []line, engine int, in func(line) bool) string {
	ratios := ratiosOf(lines, engine, in)
	if len(ratios) == 0 {
		return ""
	}
	return number(geometricMean(ratios))
}

// ratiosOf are an engine's ratios in some lines, none of an engine before the
// first.
func ratiosOf(lines []line, engine int, in func(line) bool) []float64 {
	var ratios []float64
	for _, l := range lines {
		if engine >= 0 && l.ratios[engine] != nil && in(l) {
			ratios = append(ratios, *l.ratios[engine])
		}
	}
	return ratios
}

func geometricMean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += math.Log(v)
	}
	return math.Exp(sum / float64(len(values)))
}

// least is the smallest of an engine's ratios, and its line.
func least(lines []line, engine int) (ratio float64, at line, is bool) {
	ratio = math.Inf(1)
	for _, l := range lines {
		if engine >= 0 && l.ratios[engine] != nil && *l.ratios[engine] < ratio {
			ratio, at, is = *l.ratios[engine], l, true
		}
	}
	return ratio, at, is
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
