package backup

import (
	"cmp"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
)

// Chain puts backups into their order, and refuses those of which one does not go
// on where the one before it ends, with an error of kind FailedPrecondition.
// Only the first may be full.
func Chain(readers []*Reader) error {
	slices.SortStableFunc(readers, func(a, b *Reader) int {
		return cmp.Or(cmp.Compare(a.header.From, b.header.From), cmp.Compare(a.header.To, b.header.To))
	})
	for i := 1; i < len(readers); i++ {
		if err := readers[i-1].header.Precedes(readers[i].header); err != nil {
			return err
		}
	}
	return nil
}

// Precedes refuses a backup that does not go on where this one ends.
func (h Header) Precedes(next Header) error {
	switch {
	case next.Full():
		return authz.Errorf(authz.FailedPrecondition, "two of the backups are full ones, of revisions %d and %d: restore one of them, and incremental ones after it", h.To, next.To)
	case next.From != h.To:
		return authz.Errorf(authz.FailedPrecondition, "a backup is missing: one ends with revision %d, and the next goes on from revision %d", h.To, next.From)
	case next.Base != h.Tip:
		return authz.Errorf(authz.FailedPrecondition, "the backups are of different stores: that of revisions %d to %d goes on from another revision %d than the one before it ends with", next.From, next.To, next.From)
	}
	return nil
}
