package store

import (
	"context"
	"io"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store/backup"
)

// BackupOptions say what a backup holds.
type BackupOptions struct {
	// After is the revision that the backup goes on from; 0 makes a full one.
	After uint64
	// Base is the tip of the backup that this one goes on from. Where it is not
	// empty, another revision of the same number is refused.
	Base string
}

// A BackupReport says what a backup holds, and how much it is.
type BackupReport struct {
	backup.Header
	backup.Trailer
}

// expectUndamaged refuses a store to be backed up in which damage was found.
func (s *Store) expectUndamaged() error {
	if damage := s.damage.get(); damage != nil {
		return authz.Errorf(authz.Unavailable, "the directory is damaged, and so would the backup be: restore it from the one before: %w", damage)
	}
	return nil
}

// Backup writes a backup of the whole store, of all tenants, as it is at the
// latest revision: package backup says in which form. Reading and writing go on
// meanwhile; writes that come later are not in it.
//
// A revision to go on from that is not kept, or that is another than the one of
// the backup before, is an error of kind FailedPrecondition. So is a backup that
// takes longer than past revisions are kept, for until it ends none of those that
// it holds is discarded. A store that is damaged is not backed up: the error is of
// kind Unavailable. Other errors are the writer's and the context's. What was
// written by then is refused when it is read.
func (s *Store) Backup(ctx context.Context, o BackupOptions, w io.Writer) (BackupReport, error) {
	late := authz.Errorf(authz.FailedPrecondition, "the backup has taken longer than past revisions are kept, which is %s: have it go where it is taken faster", s.options.Retention)
	ctx, cancel := context.WithTimeoutCause(ctx, s.options.Retention, late)
	defer cancel()
	d, err := s.newDump(ctx, o)
	if err != nil {
		return BackupReport{}, err
	}
	defer d.close()
	out, err := backup.NewWriter(w, d.header)
	if err != nil {
		return BackupReport{}, err
	}
	for more := true; more; {
		if more, err = d.read(ctx, out); err != nil {
			return BackupReport{}, err
		}
		if err := out.Flush(); err != nil {
			return BackupReport{}, err
		}
		if err := d.rest(ctx); err != nil {
			return BackupReport{}, err
		}
	}
	// What is read of a damaged table may lack records. Without its end a backup is
	// refused.
	if err := s.scrub(ctx, 0); err != nil && !isDamage(err) {
		return BackupReport{}, err
	}
	if err := s.expectUndamaged(); err != nil {
		return BackupReport{}, err
	}
	trailer, err := out.Close()
	if err == nil {
		s.noteBackedUp(BackedUp{d.header.To, s.options.Clock()})
	}
	return BackupReport{d.header, trailer}, err
}
