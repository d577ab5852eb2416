package directory

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// A writing is the sink that writes. Its writes are made in order, and after
// one that fails none is: the next is worked out while one is put on disk.
type writing struct {
	directory *Directory
	ctx       context.Context
	tenant    string
	author    authz.Author
	last      *store.Write // that was accepted, or nil
}

// put puts a batch. Of a deletion that is more than one commit takes, the
// grants go first.
func (w *writing) put(batch []parsedLine, skip bool) (result, error) {
	done, err := w.putAtOnce(batch, skip)
	if authz.KindOf(err) != authz.LimitExceeded || len(batch) > 1 || batch[0].change.DeleteEntity == nil {
		return done, err
	}
	deleted, err := w.deleteGrantsNaming(*batch[0].change.DeleteEntity)
	if err != nil {
		return result{}, err
	}
	done, err = w.putAtOnce(batch, skip)
	if deleted {
		done.applied, done.unchanged = 1, 0
	}
	return done, err
}

// maxTries is how often a batch that closes cycles is tried, each time over a
// hierarchy that another write has changed since.
const maxTries = 10

// putAtOnce is put for what one commit takes.
func (w *writing) putAtOnce(batch []parsedLine, skip bool) (result, error) {
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
	snapshot, err := w.snapshot()
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	return linesAtFault(w.ctx, batch, snapshot.parentsOf)
}

// snapshot is one that has all that was written.
func (w *writing) snapshot() (*Snapshot, error) {
	if w.last != nil {
		if _, err := w.last.Wait(w.ctx); err != nil {
			return nil, err
		}
	}
	return w.directory.Snapshot(w.ctx, w.tenant, authz.Consistency{})
}

// update begins a write. That runs each time on a fresh result, and the last
// that was completed is returned: a write whose context has ended may still be
// running.
func (w *writing) update(write func(*store.Tx, *result) error) (done result, err error) {
	var completed atomic.Pointer[result]
	begun, err := w.directory.begin(w.ctx, w.tenant, w.author, w.last, func(tx *store.Tx) error {
		r := new(result)
		defer completed.Store(r)
		return write(tx, r)
	})
	if r := completed.Load(); r != nil {
		done = *r
	}
	if err == nil {
		w.last = begun
		done.written = func() (uint64, error) { return begun.Wait(w.ctx) }
	}
	return done, err
}

func (r *result) count(changed bool) {
	if changed {
		r.applied++
	} else {
		r.unchanged++
	}
}

// deletedAtOnce is how many grants go with one commit, which takes as many of
// the largest.
const deletedAtOnce = 250

// deleteGrantsNaming deletes the grants that name an entity with as many
// commits as it takes, and reports whether there were any.
func (w *writing) deleteGrantsNaming(ref authz.EntityRef) (any bool, err error) {
	for _, q := range []GrantQuery{{Subject: ref}, {Role: ref}, {Scope: ref}} {
		for after, more := "", true; more; {
			grants, err := w.grants(q, after)
			if err != nil {
				return any, err
			}
			done, err := w.update(func(tx *store.Tx, r *result) error { return deleteGrants(tx, r, grants, q) })
			if err != nil {
				return any, err
			}
			any = any || done.applied > 0
			if more = len(grants) == deletedAtOnce; more {
				after = grants[len(grants)-1].ID
			}
		}
	}
	return any, nil
}

// grants reads the next grants that are to be deleted.
func (w *writing) grants(q GrantQuery, after string) ([]authz.Grant, error) {
	snapshot, err := w.snapshot()
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	return snapshot.Grants(q, after, deletedAtOnce)
}

// deleteGrants deletes those of some grants that still match a query.
func deleteGrants(tx *store.Tx, r *result, grants []authz.Grant, q GrantQuery) error {
	for _, g := range grants {
		now, known, err := tx.Grant(g.ID)
		if err != nil {
			return err
		}
		if !known || !q.matches(tx.Tenant(), now) {
			continue
		}
		changed, err := tx.DeleteGrant(g.ID)
		if err != nil {
			return err
		}
		r.count(changed)
	}
	return nil
}
