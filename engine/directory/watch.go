package directory

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// A ChangeRecord is what one revision changed in a tenant. Made in order over
// an export of the revision before, its changes give that revision.
type ChangeRecord struct {
	Revision uint64
	// Time is when the revision was committed.
	Time time.Time
	// Changes are the entities and grants as they became, and those deleted;
	// each stands once.
	Changes []authz.Change
	// Authors are who made each of the changes, as far as that was recorded.
	Authors []*authz.Author
}

// Author is who made a change, by its place; nil where that was not recorded.
func (r *ChangeRecord) Author(i int) *authz.Author {
	if i >= len(r.Authors) {
		return nil
	}
	return r.Authors[i]
}

// Watch calls visit with every change of a tenant after a revision, in order,
// without gaps or repeats, and waits for more. It returns when the context
// ends, with its error, when visit returns an error, with that one, or when
// the directory closes.
//
// A revision from whose changes some are no longer kept, at the beginning or
// because visit took longer than history is kept, is an error of kind
// FailedPrecondition, as is one that is still to come: export the directory,
// and watch from that revision.
func (d *Directory) Watch(ctx context.Context, tenant string, after uint64, visit func(ChangeRecord) error) error {
	if _, err := d.served(tenant); err != nil {
		return err
	}
	if oldest, latest := d.Revisions(); after > latest {
		return authz.Errorf(authz.FailedPrecondition, "revision %d has not come: the directory keeps revisions %d to %d", after, oldest, latest)
	}
	w := watcher{directory: d, tenant: tenant, after: after, seen: after}
	for {
		if err := w.catchUp(ctx, visit); err != nil {
			return err
		}
		if err := d.store.Wait(ctx, w.after+1); err != nil {
			return err
		}
	}
}

// What is read at once: so many change records, or those of so many changes and
// one more. Each may hold as many changes as one commit does.
const (
	watchStep    = 64
	watchChanges = authz.MaxBatchChanges
)

// A watcher follows the changes of a tenant.
type watcher struct {
	directory *Directory
	tenant    string
	// after is the revision up to which all changes were visited; seen is the
	// last that had any.
	after, seen uint64
}

// catchUp visits what has happened up to the latest revision.
func (w *watcher) catchUp(ctx context.Context, visit func(ChangeRecord) error) error {
	for {
		records, upTo, more, err := w.read()
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := ctx.Err(); err != nil {
				return err
			}
			if r.Previous > w.seen {
				return fmt.Errorf("the change record of revision %d follows %d, and not %d: the history has a gap", r.Revision, r.Previous, w.seen)
			}
			record, err := w.changes(ctx, r)
			if err != nil {
				return err
			}
			if len(record.Changes) > 0 { // and not the policy alone
				if err := visit(record); err != nil {
					return err
				}
			}
			w.after, w.seen = r.Revision, r.Revision
		}
		if !more {
			w.after = upTo
			return nil
		}
	}
}

// read reads the next change records. There may be more; if not, these are all
// up to a revision.
func (w *watcher) read() (records []store.ChangeRecord, upTo uint64, more bool, err error) {
	view, err := w.directory.store.Latest(w.tenant)
	if err != nil {
		return nil, 0, false, err
	}
	defer view.Close()
	oldest, err := view.Floor()
	if err != nil {
		return nil, 0, false, err
	}
	if w.after < oldest {
		return nil, 0, false, authz.Errorf(authz.FailedPrecondition, "the changes after revision %d are no longer kept: the directory keeps revisions %d to %d", w.after, oldest, view.Revision())
	}
	changes := 0
	err = view.EachChange(w.after, func(r store.ChangeRecord) bool {
		records = append(records, r)
		changes += len(r.Touches)
		more = len(records) == watchStep || changes >= watchChanges
		return !more
	})
	if err != nil {
		return nil, 0, false, err
	}
	return records, view.Revision(), more, nil
}

// changes reads what a revision changed, as one of few that do at a time: it may be much,
// and all watchers read it at once.
func (w *watcher) changes(ctx context.Context, r store.ChangeRecord) (ChangeRecord, error) {
	select {
	case w.directory.reading <- struct{}{}:
	case <-ctx.Done():
		return ChangeRecord{}, ctx.Err()
	}
	defer func() { <-w.directory.reading }()
	return w.directory.changes(w.tenant, r)
}

// changes reads what the records that a revision touched became in it.
func (d *Directory) changes(tenant string, r store.ChangeRecord) (ChangeRecord, error) {
	record := ChangeRecord{Revision: r.Revision, Time: r.Time}
	view, err := d.store.At(tenant, r.Revision)
	if err != nil {
		return record, err
	}
	defer view.Close()
	for _, touch := range r.Touches {
		if touch.Op == store.SetPolicy {
			continue
		}
		change, err := changeOf(view, touch)
		if err != nil {
			return record, err
		}
		record.Changes, record.Authors = append(record.Changes, change), append(record.Authors, touch.Author)
	}
	return record, nil
}

func changeOf(view *store.View, touch store.Touch) (authz.Change, error) {
	switch touch.Op {
	case store.DeleteEntity:
		return authz.Change{DeleteEntity: &touch.Ref}, nil
	case store.DeleteGrant:
		return authz.Change{DeleteGrant: &touch.GrantID}, nil
	case store.PutGrant:
		grant, known, err := view.Grant(touch.GrantID)
		return authz.Change{PutGrant: &grant}, missing(known, err)
	}
	record, known, err := view.Entity(touch.Ref)
	return authz.Change{PutEntity: &record.Entity}, missing(known, err)
}

var errMissing = errors.New("a change record names what its revision does not have")

func missing(known bool, err error) error {
	if err == nil && !known {
		return errMissing
	}
	return err
}
