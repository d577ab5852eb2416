package store

import (
	"os"
	"path/filepath"
	"testing"
)

// TestLastBackupIsRemembered opens a store again that was backed up, and one whose note
// of that is damaged.
func TestLastBackupIsRemembered(t *testing.T) {
	dir := t.TempDir()
	s, advance := newClockedStore(t, dir)
	if last := s.BackedUp(); !last.At.IsZero() {
		t.Errorf("a new store was backed up at %v", last.At)
	}
	fill(t, s)
	advance(0)
	if _, err := s.Backup(t.Context(), BackupOptions{}, failing{os.ErrClosed}); err == nil || !s.BackedUp().At.IsZero() {
		t.Errorf("a backup that failed (%v) was made: %v", err, s.BackedUp())
	}
	backUp(t, s, nil)
	last := s.BackedUp()
	if _, latest := s.Revisions(); last.Revision != latest || !last.At.Equal(s.options.Clock()) {
		t.Errorf("the last backup is %v: expected revision %d", last, latest)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := newStore(t, dir)
	if got := again.BackedUp(); got.Revision != last.Revision || !got.At.Equal(last.At) {
		t.Errorf("after a restart the last backup is %v: expected %v", got, last)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if err := flip(filepath.Join(dir, backedUpFile), 3); err != nil {
		t.Fatal(err)
	}
	if got := newStore(t, dir).BackedUp(); !got.At.IsZero() {
		t.Errorf("of a damaged note the last backup is %v", got)
	}
}
