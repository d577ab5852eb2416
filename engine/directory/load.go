package directory

import (
	"context"
	"errors"
	"io"
	"math"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/hierarchy"
	"github.com/verdictpdp/verdict/engine/store"
)

// LoadOptions say whom a bulk load tells what.
type LoadOptions struct {
	// Progress, if set, is called now and then with the number of lines that
	// were read so far, and of those that were refused. It is called from one
	// goroutine, while another reads on.
	Progress func(lines, refused int)
	// Logger hears what goes wrong out of a caller's sight; nil means nobody.
	Logger *zap.Logger
}

// progressLines is after how many lines a load reports progress.
const progressLines = 10_000

// Load makes a directory of lines of the import format, as one revision. It is
// Import for a directory that is not there yet, and several times faster: the
// lines come to the same state.
//
// It loads all or nothing: refused lines, those that close cycles included, are
// in the report, and end in an error of kind Invalid once everything is looked
// at. A directory that was written to already is an error of kind
// FailedPrecondition. An interrupted load leaves it without content.
//
// The load has no change records: what can be watched begins after it.
func Load(ctx context.Context, dir, tenant string, r io.Reader, o LoadOptions) (ImportReport, error) {
	if err := authz.ValidateTenant(tenant); err != nil {
		return ImportReport{}, err
	}
	so := storeOptions(Options{Logger: o.Logger})
	l := &load{importer: importer{options: ImportOptions{Progress: o.Progress}}}
	err := store.Load(store.LoadOptions{Dir: dir, Now: so.Clock(), Logger: so.Logger}, tenant,
		func(to *store.Loader) error {
			l.to = to
			return eachLine(ctx, nil, tenant, r, l.take)
		},
		func(view *store.View, from *store.Loader) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := l.findCycles(ctx, view, from); err != nil {
				return err
			}
			return l.refused()
		})
	if err != nil {
		return l.report, err
	}
	l.report.Applied = l.report.Lines
	l.report.Revision = 1
	return l.report, nil
}

// A load takes the lines of a bulk load.
type load struct {
	importer
	to *store.Loader
}

func (l *load) take(line parsedLine) error {
	l.report.Lines++
	if l.report.Lines%progressLines == 0 && l.options.Progress != nil {
		l.options.Progress(l.report.Lines, l.report.Refused)
	}
	switch c := line.change; {
	case line.err != nil:
		l.refuse(LineError{line.number, line.err.Error()})
		return nil
	case c.PutEntity != nil:
		return l.to.PutEntity(line.number, *c.PutEntity)
	case c.PutGrant != nil:
		return l.to.PutGrant(line.number, *c.PutGrant)
	case c.DeleteEntity != nil:
		return l.to.DeleteEntity(line.number, *c.DeleteEntity)
	default:
		return l.to.DeleteGrant(line.number, *c.DeleteGrant)
	}
}

// refused is the error of a load with refused lines.
func (l *load) refused() error {
	if l.report.Refused == 0 {
		return nil
	}
	return invalid("nothing is loaded, since lines are refused, %d in all: %s", l.report.Refused, l.report.firstErrors())
}

// findCycles refuses lines that close cycles. Of each cycle, the last line that
// makes an edge of it is refused, and its entity is taken to have no parents
// from then on. Only what is a parent can be on one.
func (l *load) findCycles(ctx context.Context, view *store.View, from *store.Loader) error {
	without := make(map[authz.EntityRef]bool)
	search := hierarchy.NewSearch(func(ref authz.EntityRef) ([]authz.EntityRef, error) {
		if without[ref] {
			return nil, nil
		}
		record, _, err := view.Entity(ref)
		return record.Parents, err
	}, math.MaxInt)
	var lines map[authz.EntityRef]int // of all parents, once there is a cycle
	refuseAbove := func(parent authz.EntityRef) error {
		for {
			cycle, err := search.FindCycle(ctx, parent)
			if err == nil {
				err = ctx.Err() // a long cycle takes long to look at
			}
			if err != nil || cycle == nil {
				return err
			}
			if lines == nil {
				if lines, err = linesOfParents(view, from); err != nil {
					return err
				}
			}
			at := 0
			for i, ref := range cycle {
				if lines[ref] > lines[cycle[at]] {
					at = i
				}
			}
			l.refuse(LineError{lines[cycle[at]], cycleText(beginAt(cycle, at))})
			without[cycle[at]] = true
			if err := search.Changed(cycle[at]); err != nil {
				return err
			}
		}
	}
	var failed error
	err := view.EachParent(func(parent authz.EntityRef) bool {
		failed = refuseAbove(parent)
		return failed == nil
	})
	return errors.Join(err, failed)
}

// linesOfParents finds the lines of the entities that are parents.
func linesOfParents(view *store.View, from *store.Loader) (map[authz.EntityRef]int, error) {
	lines := make(map[authz.EntityRef]int)
	err := view.EachParent(func(ref authz.EntityRef) bool {
		lines[ref] = 0
		return true
	})
	return lines, errors.Join(err, from.LinesOf(lines))
}
