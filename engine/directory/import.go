package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// Bounds of one batch of an import, and of what it reports.
const (
	maxImportLines  = authz.MaxBatchChanges
	maxImportBytes  = 3 << 20 // of lines, which take more as keys
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
// revision is spent on it.
//
// A line that is refused ends the import with an error of kind Invalid, with
// nothing of its batch written, unless the options say otherwise; with
// ValidateOnly or KeepGoing refused lines are in the report alone. Other
// errors are those of Write, the reader's, and the context's. The report is
// true up to the error.
//
// ValidateOnly looks at one revision. When that is no longer kept before all
// lines are read, the error is of kind FailedPrecondition; when there are too
// many parents to remember, it is of kind LimitExceeded.
func (d *Directory) Import(ctx context.Context, tenant string, r io.Reader, o ImportOptions) (ImportReport, error) {
	if err := d.known(tenant); err != nil {
		return ImportReport{}, err
	}
	im := &importer{options: o}
	if o.ValidateOnly {
		rehearsal := newRehearsal(ctx, d, tenant)
		defer rehearsal.end()
		im.report.Revision = rehearsal.base
		im.sink = rehearsal
	} else {
		_, im.report.Revision = d.Revisions()
		im.sink = &writing{directory: d, ctx: ctx, tenant: tenant}
	}
	err := eachLine(ctx, tenant, r, im.take)
	if err == nil {
		err = im.flush()
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
	sink    sink
	report  ImportReport
	batch   []parsedLine
	bytes   int
	broken  bool // the batch has a line that cannot be parsed
}

// A sink takes the batches of an import.
type sink interface {
	// put takes a batch, whole or, where lines of it are at fault, not at all:
	// those are returned. When skip is set it takes the others.
	put(batch []parsedLine, skip bool) (result, error)
}

// A result is what became of a batch.
type result struct {
	revision           uint64
	applied, unchanged int
	refused            []LineError
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
	return nil
}

// put puts some lines, in two halves when they come to more than one commit
// takes.
func (im *importer) put(lines []parsedLine, tolerant bool) error {
	done, err := im.sink.put(lines, tolerant)
	if authz.KindOf(err) == authz.LimitExceeded && !endsImport(err) {
		if len(lines) > 1 {
			half := len(lines) / 2
			if err := im.put(lines[:half], tolerant); err != nil {
				return err
			}
			return im.put(lines[half:], tolerant)
		}
		done, err = result{refused: []LineError{{lines[0].number, err.Error()}}}, nil
	}
	if err != nil {
		return fmt.Errorf("lines %d to %d: %w", lines[0].number, lines[len(lines)-1].number, err)
	}
	im.report.Applied += done.applied
	im.report.Unchanged += done.unchanged
	im.report.Revision = max(im.report.Revision, done.revision)
	for _, refused := range done.refused {
		im.refuse(refused)
	}
	if len(done.refused) > 0 && !tolerant {
		return im.stopped()
	}
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

// A writing is the sink that writes.
type writing struct {
	directory *Directory
	ctx       context.Context
	tenant    string
}

// maxTries is how often a batch that closes cycles is tried, each time over a
// hierarchy that another write has changed since.
const maxTries = 10

func (w *writing) put(batch []parsedLine, skip bool) (result, error) {
	done, err := w.write(batch, nil)
	var atFault map[int]string
	for try := 1; errors.Is(err, errCyclic) && try < maxTries; try++ {
		// Finding out which lines are at fault takes longer than finding out
		// that some are, and so it does not hold up other writes.
		if atFault, err = w.linesAtFault(batch); err != nil {
			return result{}, err
		}
		if len(atFault) > 0 && !skip {
			return result{refused: inOrder(atFault)}, nil
		}
		done, err = w.write(batch, atFault)
	}
	done.refused = inOrder(atFault)
	return done, err
}

// errCyclic keeps a batch that closes a cycle from being written.
var errCyclic = authz.Errorf(authz.FailedPrecondition, "parents close cycles, again and again, with what others write: import again")

// write writes the lines of a batch that are not at fault.
func (w *writing) write(batch []parsedLine, atFault map[int]string) (result, error) {
	return w.update(func(tx *store.Tx, r *result) error {
		for i, line := range batch {
			if err := stillWanted(w.ctx, i); err != nil {
				return err
			}
			if _, refused := atFault[line.number]; refused {
				continue
			}
			changed, err := apply(tx, line.change)
			if err != nil {
				return err
			}
			r.count(changed)
		}
		cycle, err := findCycle(w.ctx, tx)
		if err == nil && cycle != nil {
			err = errCyclic
		}
		return err
	})
}

func (w *writing) linesAtFault(batch []parsedLine) (map[int]string, error) {
	snapshot, err := w.directory.Snapshot(w.ctx, w.tenant, authz.Consistency{})
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	return linesAtFault(w.ctx, batch, snapshot.parentsOf)
}

// inOrder are the lines at fault in their order.
func inOrder(atFault map[int]string) []LineError {
	var refused []LineError
	for _, number := range slices.Sorted(maps.Keys(atFault)) {
		refused = append(refused, LineError{number, atFault[number]})
	}
	return refused
}

// update runs a write, each time on a fresh result, and returns the last that
// was completed: a write whose context has ended may still be running.
func (w *writing) update(write func(*store.Tx, *result) error) (done result, err error) {
	var completed atomic.Pointer[result]
	revision, err := w.directory.store.Update(w.ctx, w.tenant, func(tx *store.Tx) error {
		r := new(result)
		defer completed.Store(r)
		return write(tx, r)
	})
	if r := completed.Load(); r != nil {
		done = *r
	}
	done.revision = revision
	return done, err
}

func (r *result) count(changed bool) {
	if changed {
		r.applied++
	} else {
		r.unchanged++
	}
}
