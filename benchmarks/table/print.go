package table

import (
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// A printer prints a table row by row, as they come: text in columns, or
// markdown.
type printer struct {
	out      io.Writer
	markdown bool
	labels   int   // how many columns, from the first, are text
	widths   []int // of the columns
}

// A column is a title, and the unit of what stands below it. Neighbours of one
// unit have it in common.
type column struct {
	title, unit string
	least       int // width, where the titles are shorter
}

// head prints the head of a table, of which the first columns are labels.
func (p *printer) head(labels int, columns []column) {
	p.labels, p.widths = labels, nil
	var titles, rules []string
	for i, c := range columns {
		title := c.title
		if p.markdown {
			title = strings.TrimSpace(title + " " + c.unit)
		}
		p.widths = append(p.widths, max(utf8.RuneCountInString(title), c.least))
		titles = append(titles, title)
		rule := strings.Repeat("-", p.widths[i])
		if i >= labels {
			rule = rule[1:] + ":"
		}
		rules = append(rules, rule)
	}
	if !p.markdown {
		p.units(columns)
	}
	p.row(titles)
	if p.markdown {
		p.row(rules)
	}
}

// units prints the line of units, each above the first of its columns.
func (p *printer) units(columns []column) {
	var line []rune
	start, last := 0, ""
	for i, c := range columns {
		if c.unit != last {
			last = c.unit
			line = append(line, []rune(strings.Repeat(" ", max(1, start-len(line))))...)
			line = append(line, []rune(c.unit)...)
		}
		start += p.widths[i] + len(gap)
	}
	if text := strings.TrimRight(string(line), " "); text != "" {
		fmt.Fprintln(p.out, text)
	}
}

// gap stands between columns of text.
const gap = "  "

// row prints a row, numbers to the right.
func (p *printer) row(cells []string) {
	padded := make([]string, len(cells))
	for i, cell := range cells {
		space := strings.Repeat(" ", max(0, p.widths[i]-utf8.RuneCountInString(cell)))
		if i < p.labels {
			padded[i] = cell + space
		} else {
			padded[i] = space + cell
		}
	}
	if p.markdown {
		fmt.Fprintf(p.out, "| %s |\n", strings.Join(padded, " | "))
		return
	}
	fmt.Fprintln(p.out, strings.TrimRight(strings.Join(padded, gap), " "))
}

// number is a figure to two digits or three.
func number(v float64) string {
	switch {
	case v < 0.1:
		return fmt.Sprintf("%.2g", v)
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// count is a number of allocations, whole where it is, or large.
func count(v float64) string {
	if whole := math.Round(v); v < 10 && math.Abs(v-whole) >= 0.05 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// blank sets two tables apart.
func (p *printer) blank() { fmt.Fprintln(p.out) }
