package directory

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
)

// MaxLineBytes bounds one line of the import format. It is more than the line of
// any valid entity takes in an export: 3.2 MiB, with the most and longest
// parents, each byte of whose ids is written as six.
const MaxLineBytes = 4 << 20

// A parsedLine is one line of an import.
type parsedLine struct {
	number int // from 1
	change authz.Change
	bytes  int // of the line
	err    error
}

// Lines are read and parsed in blocks, of which some wait to be taken.
const (
	blockLines    = 512
	blockBytes    = 256 << 10
	blocksWaiting = 8
)

// A block is some lines that are parsed together.
type block struct {
	text  []byte
	lines []blockLine
	// parsed is there when ready is closed.
	parsed []parsedLine
	ready  chan struct{}
}

// A blockLine is where a line ends in its block's text.
type blockLine struct {
	number, end int
	err         error
}

// eachLine reads the lines of r, parses them for a tenant with several
// goroutines, and calls take with each in order, from one goroutine. It reads
// r in the caller's. Blank lines are left out.
//
// Between lines it rests at the pace, which may be nil.
//
// It returns when all lines are taken or take returns an error, with that
// error, the context's or the reader's. None of its goroutines outlives it.
func eachLine(ctx context.Context, pace *background.Pace, tenant string, r io.Reader, take func(parsedLine) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	toParse := make(chan *block, blocksWaiting)
	toTake := make(chan *block, blocksWaiting)

	var background sync.WaitGroup
	for range max(1, min(4, runtime.GOMAXPROCS(0)-1)) {
		background.Go(func() {
			var p Parser
			for b := range toParse {
				b.parse(ctx, &p, pace.Begin(), tenant)
			}
		})
	}
	background.Go(func() {
		for b := range toTake {
			<-b.ready
			for _, line := range b.parsed {
				if ctx.Err() != nil {
					break
				}
				if err := taken(take, line); err != nil {
					cancel(err)
				}
			}
			b.parsed = nil
		}
	})

	read := newLineReader(r)
	var failed error
	for failed == nil && ctx.Err() == nil {
		var b *block
		if b, failed = read.block(); len(b.lines) > 0 {
			toParse <- b
			toTake <- b
		}
	}
	close(toParse)
	close(toTake)
	background.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !errors.Is(failed, io.EOF) {
		return fmt.Errorf("reading line %d: %w", read.number+1, failed)
	}
	return nil
}

// parse parses the lines of a block. Who takes them looks whether the context has ended.
func (b *block) parse(ctx context.Context, p *Parser, work background.Work, tenant string) {
	defer close(b.ready)
	b.parsed = make([]parsedLine, len(b.lines))
	start := 0
	for i, line := range b.lines {
		parsed := parsedLine{number: line.number, bytes: line.end - start, err: line.err}
		if parsed.err == nil {
			parsed.change, parsed.err = b.parseLine(p, tenant, start, line)
		}
		b.parsed[i] = parsed
		_ = work.Rest(ctx)
		start = line.end
	}
	b.text, b.lines = nil, nil
}

func (b *block) parseLine(p *Parser, tenant string, start int, line blockLine) (change authz.Change, err error) {
	defer func() {
		if panicked(recover(), line.number, &err) {
			*p = Parser{}
		}
	}()
	if change, err = p.Parse(b.text[start:line.end]); err != nil {
		return change, err
	}
	change, err = inTenant(tenant, change)
	return change, authz.InField("grant", err)
}

// taken takes a line. One that could not be looked at, by no fault of its own,
// ends everything.
func taken(take func(parsedLine) error, line parsedLine) (err error) {
	defer func() { panicked(recover(), line.number, &err) }()
	if line.err != nil && authz.KindOf(line.err) == authz.Internal {
		return line.err
	}
	return take(line)
}

// panicked makes an error of a panic at a line: goroutines of an import would
// end the process with it.
func panicked(p any, line int, err *error) bool {
	if p != nil {
		*err = fmt.Errorf("line %d: a panic: %v\n%s", line, p, debug.Stack())
	}
	return p != nil
}

// A lineReader cuts a text into lines. A byte order mark at its beginning and
// a carriage return at the end of a line are no part of it.
type lineReader struct {
	r      *bufio.Reader
	number int
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, blockBytes)}
}

// block reads the next lines. The error comes with the lines before it.
func (l *lineReader) block() (*block, error) {
	b := &block{ready: make(chan struct{})}
	for len(b.lines) < blockLines && len(b.text) < blockBytes {
		start := len(b.text)
		tooLong, err := l.line(b)
		if err != nil && !errors.Is(err, io.EOF) {
			b.text = b.text[:start]
			return b, err
		}
		atEnd := err != nil
		if atEnd && len(b.text) == start && !tooLong {
			return b, err
		}
		l.number++
		text := b.text[start:]
		if l.number == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		text = bytes.TrimSpace(text)
		b.text = append(b.text[:start], text...)
		line := blockLine{number: l.number, end: len(b.text)}
		if tooLong {
			line.err = invalid("the line is too long: at most %d bytes are allowed", MaxLineBytes)
		}
		if tooLong || len(text) > 0 {
			b.lines = append(b.lines, line)
		}
		if atEnd {
			return b, err
		}
	}
	return b, nil
}

// line appends the next line to the block's text, up to its end or the end of
// everything. Of one that is too long it appends nothing.
func (l *lineReader) line(b *block) (tooLong bool, err error) {
	start := len(b.text)
	for {
		part, err := l.r.ReadSlice('\n')
		if !tooLong {
			b.text = append(b.text, part...)
		}
		if len(b.text)-start > MaxLineBytes+len("\r\n") {
			b.text, tooLong = b.text[:start], true
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return tooLong, err
		}
	}
}
