package directory

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
)

// Bounds of one batch of an import, and of what it reports.
const (
	maxImportLines  = authz.MaxBatchChanges
	maxImportBytes  = 1 << 20 // of lines, which take more as keys
	MaxImportErrors = 1_000   // refused lines that a report names
)

// ImportOptions say what an import does with what it reads.
type ImportOptions struct {
	// ValidateOnly reads everything and writes nothing. All lines that are
	// wrong are reported, cycles included: each batch is tried on what would
	// be there after those before it.
	ValidateOnly bool
	// KeepGoing leaves out the lines that are refused and writes the others.
	KeepGoing bool
	// Author is who imports, as the change records will say.
	Author authz.Author
	// Progress, if set, is called after each batch with the number of lines
	// that were read so far, and of those that were refused. It is called from
	// one goroutine, while another reads on.
	Progress func(lines, refused int)
}

// An ImportReport says what became of the lines of an import.
type ImportReport struct {
	// Lines are those that were read; blank ones do not count. Each is applied,
	// unchanged, refused, or was left when the import stopped. One that was only
	// validated is none of the first two.
	Lines, Applied, Unchanged, Refused int
	// Revision is the one after which all that was applied is there.
	Revision uint64
	// Errors are the lines that were refused, in order, of which the first
	// MaxImportErrors are named.
	Errors []LineError
}

// A LineError is why a line was refused.
type LineError struct {
	Line    int // from 1, blank ones counted
	Message string
}

// Import writes lines of the import format, in order, in batches that are each
// written whole or not at all. Parents that close a cycle are looked for after
// each batch, so that lines of one batch may swap places in a hierarchy.
//
// An import can be run again: what is there already stays as it is, and no
// revision is spent on it. An entity that is deleted while more grants name it
// than one commit takes loses those before, by commits of their own.
//
// A line that is refused ends the import with an error of kind Invalid, with
// nothing of its batch written, unless the options say otherwise; with
// ValidateOnly or KeepGoing refused lines are in the report alone. What the guard
// refuses is an error of its kind, and with ValidateOnly or KeepGoing a refused line;
// ValidateOnly asks it about the first batch alone. Other errors are those of Write, the
// reader's, and the context's. The report is true up to the error.
//
// ValidateOnly looks at one revision. When that is no longer kept before all
// lines are read, the error is of kind FailedPrecondition; when there are too
// many parents to remember, it is of kind LimitExceeded.
func (d *Directory) Import(ctx context.Context, tenant string, r io.Reader, o ImportOptions) (ImportReport, error) {
	if _, err := d.served(tenant); err != nil {
		return ImportReport{}, err
	}
	if err := o.Author.Validate(); err != nil {
		return ImportReport{}, err
	}
	im := &importer{options: o, ctx: ctx, work: d.pace.Begin()}
	if o.ValidateOnly {
		rehearsal := newRehearsal(ctx, d, tenant, o.Author)
		defer rehearsal.end()
		im.report.Revision = rehearsal.base
		im.sink = rehearsal
	} else {
		_, im.report.Revision = d.Revisions()
		im.sink = &writing{directory: d, ctx: ctx, tenant: tenant, author: o.Author}
	}
	err := eachLine(ctx, d.pace, tenant, r, im.take)
	if err == nil {
		err = im.flush()
	}
	if settled := im.settle(); err == nil {
		err = settled
	}
	im.report.sort()
	return im.report, err
}

// sort puts the refused lines in order: within a batch those that are wrong by
// themselves are found before those that close a cycle.
func (r *ImportReport) sort() {
	slices.SortStableFunc(r.Errors, func(a, b LineError) int { return cmp.Compare(a.Line, b.Line) })
}

// An importer gathers lines into batches and keeps the report.
type importer struct {
	options ImportOptions
	ctx     context.Context
	work    background.Work
	sink    sink
	report  ImportReport
	batch   []parsedLine
	bytes   int
	broken  bool   // the batch has a line that cannot be parsed
	pending result // of the batch before, which may not be on disk yet
}

// A sink takes the batches of an import.
type sink interface {
	// put takes a batch, whole or, where lines of it are at fault, not at all:
	// those are returned. When skip is set it takes the others.
	put(batch []parsedLine, skip bool) (result, error)
}

// A result is what becomes of a batch.
type result struct {
	applied, unchanged int
	refused            []LineError
	// written, if set, waits until the batch is on disk, and is the revision
	// after which it is there.
	written func() (uint64, error)
	lines   string // of the batch, for errors
}

func (im *importer) take(line parsedLine) error {
	im.report.Lines++
	if line.err != nil {
		im.refuse(LineError{line.number, line.err.Error()})
		im.broken = true
		return nil
	}
	im.batch = append(im.batch, line)
	im.bytes += line.bytes
	if len(im.batch) == maxImportLines || im.bytes >= maxImportBytes {
		return im.flush()
	}
	return nil
}

// flush puts the batch.
func (im *importer) flush() error {
	tolerant := im.options.KeepGoing || im.options.ValidateOnly
	if im.broken && !tolerant {
		return im.stopped()
	}
	if len(im.batch) > 0 {
		if err := im.put(im.batch, tolerant); err != nil {
			return err
		}
	}
	clear(im.batch)
	im.batch, im.bytes, im.broken = im.batch[:0], 0, false
	if im.options.Progress != nil {
		im.options.Progress(im.report.Lines, im.report.Refused)
	}
	return im.work.Rest(im.ctx)
}

// put puts some lines, in two halves when they come to more than one commit takes, or
// when some that the guard refuses are to be left out. Meanwhile the batch before is put on disk.
func (im *importer) put(lines []parsedLine, tolerant bool) error {
	done, err := im.sink.put(lines, tolerant)
	if err := im.settle(); err != nil {
		return err
	}
	if authz.KindOf(err) == authz.LimitExceeded && !endsImport(err) || tolerant && isRefusal(err) {
		if len(lines) > 1 {
			half := len(lines) / 2
			if err := im.put(lines[:half], tolerant); err != nil {
				return err
			}
			return im.put(lines[half:], tolerant)
		}
		done, err = result{refused: []LineError{{lines[0].number, err.Error()}}}, nil
	}
	done.lines = fmt.Sprintf("lines %d to %d", lines[0].number, lines[len(lines)-1].number)
	if err != nil {
		return fmt.Errorf("%s: %w", done.lines, err)
	}
	for _, refused := range done.refused {
		im.refuse(refused)
	}
	im.pending = done
	if len(done.refused) > 0 && !tolerant {
		return im.stopped()
	}
	return nil
}

// settle waits until the batch before is on disk, and counts it.
func (im *importer) settle() error {
	done := im.pending
	im.pending = result{}
	if done.written != nil {
		revision, err := done.written()
		if err != nil {
			return fmt.Errorf("%s: %w", done.lines, err)
		}
		im.report.Revision = max(im.report.Revision, revision)
	}
	im.report.Applied += done.applied
	im.report.Unchanged += done.unchanged
	return nil
}

func (im *importer) refuse(refused LineError) {
	im.report.Refused++
	if len(im.report.Errors) < MaxImportErrors {
		im.report.Errors = append(im.report.Errors, refused)
	}
}

// stopped is the error that ends an import at refused lines.
func (im *importer) stopped() error {
	if err := im.settle(); err != nil {
		return err
	}
	written := im.report.Applied + im.report.Unchanged
	if written == 0 {
		return invalid("nothing is imported, since lines are refused: %s", im.report.firstErrors())
	}
	return invalid("the import has stopped after %d lines, since others are refused: %s", written, im.report.firstErrors())
}

// firstErrors names the first lines that were refused.
func (r *ImportReport) firstErrors() string {
	const most = 5
	r.sort()
	var texts []string
	for _, refused := range r.Errors[:min(most, len(r.Errors))] {
		texts = append(texts, fmt.Sprintf("line %d: %s", refused.Line, refused.Message))
	}
	if more := r.Refused - most; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// inOrder are the lines at fault in their order.
func inOrder(atFault map[int]string) []LineError {
	var refused []LineError
	for _, number := range slices.Sorted(maps.Keys(atFault)) {
		refused = append(refused, LineError{number, atFault[number]})
	}
	return refused
}
