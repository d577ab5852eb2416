package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store/backup"
)

// someBackups are a full backup, one after it, and one of another store that is
// at the same revision as the first.
func someBackups(t *testing.T) (full, after, other []byte) {
	t.Helper()
	s := newStore(t, "")
	fill(t, s)
	full = backUp(t, s, nil)
	rewrite(t, s, tenant, mina, 10)
	after = backUp(t, s, full)
	another := newStore(t, "")
	fill(t, another)
	return full, after, backUp(t, another, nil)
}

func TestRestoresThatAreRefused(t *testing.T) {
	full, after, other := someBackups(t)
	tests := []struct {
		name    string
		backups [][]byte
		before  func(t *testing.T, dir string) // makes what is there
		kind    authz.Kind
		want    string
	}{
		{"of nothing", nil, nil, authz.Invalid, "name at least one backup"},
		{"of the second without the first", [][]byte{after}, nil, authz.FailedPrecondition, "there is no store in"},
		{"of two full ones", [][]byte{full, other}, nil, authz.FailedPrecondition, "two of the backups are full ones"},
		{"of two stores", [][]byte{other, after}, nil, authz.FailedPrecondition, "of different stores"},
		{"over something else", [][]byte{full}, func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, authz.FailedPrecondition, "holds no store, but notes.txt: choose"},
		{"of a full one over a store", [][]byte{full}, func(t *testing.T, dir string) {
			if err := restore(t, dir, full); err != nil {
				t.Fatal(err)
			}
		}, authz.FailedPrecondition, "is at revision 1"},
		{"of what goes on from elsewhere", [][]byte{after}, func(t *testing.T, dir string) {
			if err := restore(t, dir, full, after); err != nil {
				t.Fatal(err)
			}
		}, authz.FailedPrecondition, "the backup goes on from revision 1, and the store is at revision 2"},
		{"of what goes on from another store", [][]byte{after}, func(t *testing.T, dir string) {
			if err := restore(t, dir, other); err != nil {
				t.Fatal(err)
			}
		}, authz.FailedPrecondition, "the backup goes on from another revision 1 than the store's"},
		{"into a store that is open", [][]byte{full}, func(t *testing.T, dir string) { newStore(t, dir) }, authz.Unavailable, "is in use by another process"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.before != nil {
				test.before(t, dir)
			}
			before := tree(t, dir)
			wantError(t, restore(t, dir, test.backups...), test.kind, test.want)
			if after := tree(t, dir); !slices.Equal(before, after) && !hasStore(before) {
				t.Errorf("the directory held %q, and holds %q", before, after)
			}
		})
	}
}

// hasStore reports whether Badger may have opened the store that is there, which
// turns over its logs.
func hasStore(paths []string) bool { return slices.Contains(paths, "MANIFEST") }

// TestRestoreRefusesAnotherFormat has a backup of a store that this program does
// not read.
func TestRestoreRefusesAnotherFormat(t *testing.T) {
	var b bytes.Buffer
	w, err := backup.NewWriter(&b, backup.Header{StoreFormat: format + 1, To: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "store")
	wantError(t, restore(t, dir, b.Bytes()), authz.FailedPrecondition, "restore it with the program that made it, export each tenant, and import that")
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
}

// TestDamagedBackupLeavesNothing flips bytes all over a backup, and has it be cut
// off: what is restored is refused, and where it was to go there is what was.
func TestDamagedBackupLeavesNothing(t *testing.T) {
	full, after, _ := someBackups(t)
	place := func(t *testing.T) string { return filepath.Join(t.TempDir(), "store") }
	expectRefused := func(t *testing.T, dir string, backups ...[]byte) {
		t.Helper()
		var readers []*backup.Reader
		for _, b := range backups {
			reader, err := backup.NewReader(bytes.NewReader(b))
			if err != nil {
				return // before anything is touched
			}
			readers = append(readers, reader)
		}
		_, err := Restore(t.Context(), RestoreOptions{Dir: dir, Logger: zaptest.NewLogger(t)}, readers)
		wantError(t, err, authz.Invalid, "the backup ")
	}
	dir := place(t)
	const steps = 12
	for i := range steps {
		at := i * (len(full) - 1) / (steps - 1)
		flipped := bytes.Clone(full)
		flipped[at] ^= 0x10
		expectRefused(t, dir, flipped)
		expectRefused(t, dir, full[:at])
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("with byte %d of %d flipped, or cut off there, the directory is there: %v", at, len(full), err)
		}
	}
	if err := restore(t, dir, full); err != nil {
		t.Fatal(err)
	}
	expectRefused(t, dir, after[:len(after)-1])
	if err := restore(t, dir, after); err != nil {
		t.Errorf("the backup itself, after a damaged one: %v", err)
	}
}

// TestRestoreFindsWhatIsMissing has backups that are whole by themselves, and say
// another thing than what they hold.
func TestRestoreFindsWhatIsMissing(t *testing.T) {
	full, _, _ := someBackups(t)
	for name, change := range map[string]func(*backup.Header){
		"a later revision": func(h *backup.Header) { h.To++ },
		"another floor":    func(h *backup.Header) { h.Floor = 1 },
		"another tip":      func(h *backup.Header) { h.Tip = "another" },
	} {
		t.Run(name, func(t *testing.T) {
			r := readerOf(t, full)
			h := r.Header()
			change(&h)
			var b bytes.Buffer
			w, err := backup.NewWriter(&b, h)
			if err != nil {
				t.Fatal(err)
			}
			for v, err := r.Next(); err == nil; v, err = r.Next() {
				w.Add(v)
			}
			if _, err := w.Close(); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "store")
			wantError(t, restore(t, dir, b.Bytes()), authz.Invalid, "what was restored has revisions 0 to 1")
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the directory is there: %v", err)
			}
		})
	}
}

func TestRestoreEndsWithItsContext(t *testing.T) {
	s := newStore(t, "")
	for range 300 { // more than is handed over at once
		rewrite(t, s, tenant, mina, 20_000)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := filepath.Join(t.TempDir(), "store")
	_, err := Restore(ctx, RestoreOptions{Dir: dir, Logger: zaptest.NewLogger(t)}, []*backup.Reader{readerOf(t, backUp(t, s, nil))})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is there: %v", err)
	}
}

// TestInterruptedRestore ends the putting into place before each of its steps, as
// a crash does, with a store there and without one. Who opens the store next
// finds the one before, or all of the restored one.
func TestInterruptedRestore(t *testing.T) {
	full, after, _ := someBackups(t)
	both := restored(t, full, after)
	tests := []struct {
		name        string
		there       [][]byte
		backup      []byte
		before, now map[uint64]map[string]string
	}{
		{"where there is nothing", nil, full, map[uint64]map[string]string{0: {}}, restored(t, full)},
		{"over a store", [][]byte{full}, after, restored(t, full), both},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for steps := 0; ; steps++ {
				dir := t.TempDir()
				if test.there != nil {
					if err := restore(t, dir, test.there...); err != nil {
						t.Fatal(err)
					}
				}
				done := interruptedRestore(t, dir, test.backup, steps)
				want := test.now
				if steps == 0 {
					want = test.before
				}
				wantHistory(t, dir, want)
				for _, path := range tree(t, dir) {
					if slices.Contains([]string{restoredDir, placingDir, ".loading"}, path) {
						t.Errorf("after %d steps, %s is left", steps, path)
					}
				}
				if done {
					break
				}
			}
		})
	}
}

// restored is what a store of backups shows.
func restored(t *testing.T, backups ...[]byte) map[uint64]map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := restore(t, dir, backups...); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, dir)
	defer s.Close()
	return history(t, s)
}

// interruptedRestore restores until some renames were made, and reports whether
// there was none left to make.
func interruptedRestore(t *testing.T, dir string, b []byte, renames int) (done bool) {
	t.Helper()
	crash := errors.New("crash")
	r := readerOf(t, b)
	check := (*loadSite).checkUnwritten
	if !r.Header().Full() {
		check = (*loadSite).checkStore
	}
	site, err := newSite(dir, zaptest.NewLogger(t), check)
	if err != nil {
		t.Fatal(err)
	}
	defer site.unlock() // and nothing else, as a crash does
	made := 0
	site.rename = func(from, to string) error {
		if made++; made > renames {
			return crash
		}
		return os.Rename(from, to)
	}
	err = (&restoring{ctx: t.Context(), site: site, log: site.log, first: r.Header(), last: r.Header(), sources: []backup.Source{r}}).restore()
	if err != nil && !errors.Is(err, crash) {
		t.Fatal(err)
	}
	return err == nil
}

// TestHalfRemovedStoreIsReplaced crashes while the store before is removed.
func TestHalfRemovedStoreIsReplaced(t *testing.T) {
	full, after, _ := someBackups(t)
	dir, beside := t.TempDir(), t.TempDir()
	if err := errors.Join(restore(t, dir, full), restore(t, beside, full, after)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "MANIFEST")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, filepath.Join(dir, restoredDir)); err != nil {
		t.Fatal(err)
	}
	wantHistory(t, dir, restored(t, full, after))
}

// TestRestoreNeedsRoom fills the disk.
func TestRestoreNeedsRoom(t *testing.T) {
	full, _, _ := someBackups(t)
	dir := filepath.Join(t.TempDir(), "store")
	site, err := newSite(dir, zaptest.NewLogger(t), (*loadSite).checkUnwritten)
	if err != nil {
		t.Fatal(err)
	}
	defer site.close()
	var d fakeDisk
	d.free.Store(openReserveBytes)
	site.disk.free = d.bytes
	r := readerOf(t, full)
	err = (&restoring{ctx: t.Context(), site: site, log: site.log, first: r.Header(), last: r.Header(), sources: []backup.Source{r}}).restore()
	wantError(t, err, authz.Unavailable, "is nearly full")
}

// TestValuesLieBesideTheirKeys writes the largest values that there are: none
// goes to Badger's value log, and so that needs no collection.
func TestValuesLieBesideTheirKeys(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	e := authz.Entity{Ref: mina, Attributes: append(append([]byte(`{"t":"`), bytes.Repeat([]byte("x"), authz.MaxAttributeBytes-8)...), `"}`...)}
	for i := range authz.MaxParents {
		id := bytes.Repeat([]byte("p"), authz.MaxIDBytes)
		id[0], id[1] = byte('a'+i/64), byte('0'+i%64)
		e.Parents = append(e.Parents, authz.EntityRef{Type: string(bytes.Repeat([]byte("t"), authz.MaxTypeBytes)), ID: string(id)})
	}
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error { _, err := tx.PutEntity(e); return err }); err != nil {
		t.Fatal(err)
	}
	if largest := len(appendEntity(nil, e)); int64(largest) >= s.db.Opts().ValueThreshold {
		t.Errorf("an entity takes %d bytes, and values of %d go to the value log", largest, s.db.Opts().ValueThreshold)
	}
}
