package store

import (
	"os"
	"path/filepath"
	"testing"
)

// TestStoreIsFoundWhateverItsPath kills a process, as it were, whose store is where the path
// is a pattern that is not its own: what was written last is in a log.
func TestStoreIsFoundWhateverItsPath(t *testing.T) {
	open := newStore(t, t.TempDir())
	fill(t, open)
	dir := filepath.Join(t.TempDir(), "store[1]")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	copyStore(t, dir, open.options.Dir)
	if !holds(t, newStore(t, dir), mina) {
		t.Error("what was written is gone")
	}
}

// TestUnbegunLogsAreNoHindrance has logs that are empty, as a process leaves them
// that is killed at a moment of opening or closing a store.
func TestUnbegunLogsAreNoHindrance(t *testing.T) {
	for _, name := range []string{"000099.vlog", "00099.mem"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := newStore(t, dir)
			fill(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			again := newStore(t, dir)
			if !holds(t, again, mina) {
				t.Error("what was written is gone")
			}
			if err := put(t, again, nurse); err != nil {
				t.Error(err)
			}
		})
	}
}
