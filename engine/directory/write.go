package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// MaxDeletedGrants is how many grants may go with a deleted entity.
const MaxDeletedGrants = authz.MaxBatchChanges

// Write makes the changes of a batch, in order, all or none, and returns the
// revision they became: a new one, shared perhaps with other batches written
// at the same time, or the present one when the batch changes nothing. It
// returns when that is on disk, and the next snapshot shows it.
//
// Deleting an entity deletes the grants that name it as subject, role or
// scope, so that a later entity of that id inherits nothing; that is so for an
// entity that does not exist too.
//
// Errors are of kind Invalid for what can never be written, FailedPrecondition
// for a precondition that does not hold and for a cycle, LimitExceeded for a
// batch that comes to more than one commit holds, NotFound for an unknown
// tenant, and what the guard says. When the context ends first, the batch may have been written; one
// that is being looked at is given up.
func (d *Directory) Write(ctx context.Context, tenant string, batch authz.Batch) (uint64, error) {
	if _, err := d.served(tenant); err != nil {
		return 0, err
	}
	if err := batch.Validate(); err != nil {
		return 0, err
	}
	changes := make([]authz.Change, len(batch.Changes))
	var errs []error
	for i, change := range batch.Changes {
		var err error
		if changes[i], err = prepare(tenant, change); err != nil {
			errs = append(errs, authz.InField(fmt.Sprintf("changes[%d]", i), err))
		}
	}
	if err := authz.JoinInvalid(errs); err != nil {
		return 0, err
	}
	preconditions, author := slices.Clone(batch.Preconditions), batch.Author
	begun, err := d.begin(ctx, tenant, author, nil, func(tx *store.Tx) error {
		if err := holds(tx, preconditions); err != nil {
			return err
		}
		for i, change := range changes {
			if err := stillWanted(ctx, i); err != nil {
				return err
			}
			if _, err := apply(tx, change); err != nil {
				return err
			}
		}
		cycle, err := findCycle(ctx, tx)
		if err != nil || cycle == nil {
			return err
		}
		return authz.Errorf(authz.FailedPrecondition, "changes[%d]: %s", lastPut(changes, cycle), cycleText(cycle))
	})
	if err != nil {
		return 0, err
	}
	return begun.Wait(ctx)
}

// lastPut is the last change that makes an edge of a cycle.
func lastPut(changes []authz.Change, cycle []authz.EntityRef) int {
	for i, change := range slices.Backward(changes) {
		if change.PutEntity != nil && slices.Contains(cycle, change.PutEntity.Ref) {
			return i
		}
	}
	return 0 // the write has closed it
}

// holds reports the first precondition that does not hold.
func holds(tx *store.Tx, preconditions []authz.Precondition) error {
	for i, p := range preconditions {
		record, found, err := tx.Entity(p.Ref)
		switch {
		case err != nil:
			return err
		case record.Revision == p.Revision:
			continue
		case p.Revision == 0:
			return unmet(i, "%s exists, at revision %d: expected it not to", p.Ref, record.Revision)
		case !found:
			return unmet(i, "%s does not exist: expected it at revision %d", p.Ref, p.Revision)
		default:
			return unmet(i, "%s is at revision %d: expected revision %d", p.Ref, record.Revision, p.Revision)
		}
	}
	return nil
}

func unmet(i int, format string, args ...any) error {
	return authz.Errorf(authz.FailedPrecondition, "preconditions[%d]: %s; read it again and retry", i, fmt.Sprintf(format, args...))
}

// apply makes one change, which is prepared, and reports whether it changes
// anything.
func apply(tx *store.Tx, c authz.Change) (changed bool, err error) {
	switch {
	case c.PutEntity != nil:
		return tx.PutEntity(*c.PutEntity)
	case c.PutGrant != nil:
		return tx.PutGrant(*c.PutGrant)
	case c.DeleteGrant != nil:
		return tx.DeleteGrant(*c.DeleteGrant)
	}
	grants, err := tx.GrantsNaming(*c.DeleteEntity, MaxDeletedGrants)
	if err != nil {
		return false, err
	}
	for _, id := range grants {
		if _, err := tx.DeleteGrant(id); err != nil {
			return false, err
		}
	}
	changed, err = tx.DeleteEntity(*c.DeleteEntity)
	return changed || len(grants) > 0, err
}
