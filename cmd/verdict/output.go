package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/clipperhouse/displaywidth"
	"golang.org/x/term"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A format is how results are printed. It is a flag's value.
type format string

const (
	formatText format = "text" // for people
	formatJSON format = "json" // stable, for programs
)

func (f *format) Set(s string) error {
	switch format(s) {
	case formatText, formatJSON:
		*f = format(s)
		return nil
	}
	return errors.New("expected text or json")
}

func (f *format) String() string {
	if *f == "" {
		*f = formatText
	}
	return string(*f)
}

func (f *format) Type() string { return "format" }

// A printer writes results to standard output and progress to standard error.
type printer struct {
	out, err io.Writer
	format   format
	lost     error // why printf could not write, for the first time
}

func (p *printer) json() bool { return p.format == formatJSON }

// printJSON writes v as one line of JSON.
func (p *printer) printJSON(v any) error {
	encoder := json.NewEncoder(p.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// printf writes text for people. What is not this program's own text, such as
// an id, goes through printable first.
func (p *printer) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(p.out, format, args...); p.lost == nil {
		p.lost = err
	}
}

// printable is text on one line, with nothing in it that a terminal acts on: an
// id or a reason may hold any character.
func printable(text string) string {
	if strings.IndexFunc(text, isControl) < 0 {
		return text
	}
	var safe strings.Builder
	for _, r := range text {
		if isControl(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			safe.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		safe.WriteRune(r)
	}
	return safe.String()
}

// isControl reports control characters, and those that turn the direction of
// the text around them.
func isControl(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// table writes aligned columns.
func (p *printer) table(rows [][]string) error { return p.paintedTable(rows, nil) }

// paintedTable writes aligned columns, and paints those cells for which colour
// names one.
func (p *printer) paintedTable(rows [][]string, colour func(column int, cell string) string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			row[i] = printable(cell)
			widths[i] = max(widths[i], displaywidth.String(row[i]))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-displaywidth.String(cell)+columnGap)
			if colour != nil {
				cell = p.paint(colour(i, cell), cell)
			}
			line.WriteString(cell + padding)
		}
		text.WriteString(strings.TrimRight(line.String(), " "))
		text.WriteByte('\n')
	}
	_, err := io.WriteString(p.out, text.String())
	return err
}

// columnGap is the space between two columns.
const columnGap = 2

// The colours of a terminal.
const (
	green = "32"
	red   = "31"
)

// paint colours text where people look at it: on a terminal, unless NO_COLOR
// is set. Without a colour it leaves it as it is.
func (p *printer) paint(colour, text string) string {
	if colour == "" || !isTerminal(p.out) || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// A progress is one line on the terminal that a long job rewrites. It writes
// nothing where there is no terminal.
type progress struct {
	out   io.Writer
	shown bool
}

func (p *printer) progress() *progress {
	if !isTerminal(p.err) {
		return &progress{}
	}
	return &progress{out: p.err}
}

func (g *progress) update(format string, args ...any) {
	if g.out == nil {
		return
	}
	g.shown = true
	fmt.Fprintf(g.out, "\r\x1b[K"+format, args...)
}

// done removes the line.
func (g *progress) done() {
	if g.shown {
		fmt.Fprint(g.out, "\r\x1b[K")
	}
}

// interrupted is what became of a command that a signal ended.
const interrupted = "interrupted"

// errorText is an error as a person reads it. A server's status loses its
// code and gains its violations.
func errorText(err error) string {
	var answer interface{ GRPCStatus() *status.Status }
	// The client tells an application that it is Verdict's; here everything is.
	text := strings.TrimPrefix(err.Error(), "verdict at ")
	if !errors.As(err, &answer) || answer.GRPCStatus().Code() == codes.OK {
		return strings.Replace(text, context.Canceled.Error(), interrupted, 1)
	}
	st := answer.GRPCStatus()
	message := st.Message()
	if st.Code() == codes.Canceled {
		message = interrupted
	}
	lines := []string{strings.Replace(text, st.Err().Error(), message, 1)}
	for _, detail := range st.Details() {
		bad, ok := detail.(*errdetails.BadRequest)
		if !ok {
			continue
		}
		for _, v := range bad.GetFieldViolations() {
			line := v.GetField() + ": " + v.GetDescription()
			if !strings.Contains(st.Message(), line) {
				lines = append(lines, "  "+line)
			}
		}
	}
	if hint := hintOf(st); hint != "" {
		lines = append(lines, hint)
	}
	return strings.Join(lines, "\n")
}
