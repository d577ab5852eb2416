package directory

import (
	"context"
	"errors"
	"io"
	"math"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/engine/store"
	"github.com/verdictpdp/verdict/engine/store/backup"
)

// BackupOptions say what a backup holds.
type BackupOptions = store.BackupOptions

// A BackupReport says what a backup holds, and how much it is.
type BackupReport = store.BackupReport

// A BackupReader reads a backup, and finds what is wrong with it.
type BackupReader = backup.Reader

// A BackupHeader says what a backup holds.
type BackupHeader = backup.Header

// NewBackupReader begins to read a backup. What is no backup, or damaged, is an
// error of kind Invalid; one of another format is of kind FailedPrecondition.
func NewBackupReader(r io.Reader) (*BackupReader, error) { return backup.NewReader(r) }

// Backup writes a backup of all tenants at the latest revision, those that are
// not served included, with what is kept of the past. Its errors are those of
// store.Store.Backup.
func (d *Directory) Backup(ctx context.Context, o BackupOptions, w io.Writer) (BackupReport, error) {
	return d.store.Backup(ctx, o, w)
}

// BackupStore backs up a directory that nobody has open. Its errors are those of
// Open and Backup.
func BackupStore(ctx context.Context, dir string, o BackupOptions, w io.Writer, logger *zap.Logger) (BackupReport, error) {
	options := storeOptions(Options{Dir: dir, Retention: math.MaxInt64, Logger: logger}) // what may go is for the service to say
	s, err := store.Open(options)
	if err != nil {
		return BackupReport{}, err
	}
	report, err := s.Backup(ctx, o, w)
	return report, errors.Join(err, s.Close())
}

// Restore makes a directory of backups, as store.Restore does.
func Restore(ctx context.Context, dir string, backups []*BackupReader, logger *zap.Logger) (BackupHeader, error) {
	options := storeOptions(Options{Logger: logger})
	return store.Restore(ctx, store.RestoreOptions{Dir: dir, Logger: options.Logger}, backups)
}

// CheckBackups reads backups through, in whichever order they are given: whether
// each is whole and as it was written, and goes on from the one before it.
func CheckBackups(ctx context.Context, backups []*BackupReader) (BackupHeader, error) {
	if err := backup.Chain(backups); err != nil {
		return BackupHeader{}, err
	}
	for _, b := range backups {
		for n := 0; ; n++ {
			if _, err := b.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return BackupHeader{}, err
			}
			if n%1_000 == 0 && ctx.Err() != nil {
				return BackupHeader{}, ctx.Err()
			}
		}
	}
	return backups[len(backups)-1].Header(), nil
}
