package store

import (
	"os"
	"path/filepath"
	"testing"
)

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
