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

// head prints the head of a table. A column is as wide as its title, and at
// least as wide as asked for.
func (p *printer) head(labels int, titles []string, least func(column int) int) {
	p.labels, p.widths = labels, nil
	rules := make([]string, len(titles))
	for i, title := range titles {
		p.widths = append(p.widths, max(utf8.RuneCountInString(title), least(i)))
		rules[i] = strings.Repeat("-", p.widths[i])
		if i >= labels {
			rules[i] = rules[i][1:] + ":"
		}
	}
	p.row(titles)
	if p.markdown {
		p.row(rules)
	}
}

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
	fmt.Fprintln(p.out, strings.TrimRight(strings.Join(padded, "  "), " "))
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
