package store

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestUnusedStoreIsRemoved holds that a store goes without a trace that was made and not
// written to, and that nothing else goes with it.
func TestUnusedStoreIsRemoved(t *testing.T) {
	if !canHold {
		t.Skip("nothing is removed where no lock can be held")
	}
	open := func(t *testing.T, dir string) { newStore(t, dir).Close() }
	written := func(t *testing.T, dir string) {
		s := newStore(t, dir)
		fill(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	loaded := func(t *testing.T, dir string) {
		if err := load(t, dir, readMina); err != nil {
			t.Fatal(err)
		}
	}
	nothing := func(*testing.T, string) {}
	for _, test := range []struct {
		name string
		// before is done before the store is opened, and since after it was closed.
		before, since func(t *testing.T, dir string)
		write         bool
		// files are left, or a store; nil for not even the directory.
		files []string
		store bool
	}{
		{name: "no directory", before: nothing},
		{name: "an empty directory", before: func(t *testing.T, dir string) { makeDirOf(t, dir, "") }, files: []string{}},
		{name: "a file system of its own", before: func(t *testing.T, dir string) { makeDirOf(t, dir, "lost+found") }, files: []string{"lost+found"}},
		{name: "a store that was there, and is empty", before: open, store: true},
		{name: "a store that was there", before: written, store: true},
		{name: "a store that was written to", before: nothing, write: true, store: true},
		{name: "a store that another has written to since", before: nothing, since: written, store: true},
		{name: "a store that was loaded since", before: nothing, since: loaded, store: true},
		{name: "a store that another has open", before: nothing, since: func(t *testing.T, dir string) { newStore(t, dir) }, store: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			test.before(t, dir)
			s := newStore(t, dir)
			if test.write {
				fill(t, s)
			}
			if test.since != nil {
				s.Close()
				test.since(t, dir)
			}
			if err := s.CloseUnused(); err != nil {
				t.Fatal(err)
			}
			files := namesOf(t, dir)
			if isStore := slices.Contains(files, "MANIFEST"); isStore != test.store || !test.store && (!slices.Equal(files, test.files) || (files == nil) != (test.files == nil)) {
				t.Errorf("there are %q, want %q, or a store: %t", files, test.files, test.store)
			}
		})
	}
	if err := newStore(t, "").CloseUnused(); err != nil {
		t.Errorf("a store in memory: %v", err)
	}
}

func makeDirOf(t *testing.T, dir, file string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, file), 0o700); err != nil {
		t.Fatal(err)
	}
}

// namesOf are the names in a directory, nil where there is none.
func namesOf(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}
