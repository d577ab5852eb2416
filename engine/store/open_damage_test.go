package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4/y"
	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

// TestNoFlipChangesAnAnswer flips a bit of each byte of a table while it is open. A
// record is read as it was, or with an error; never as another, as it was in another
// revision, or not at all. Behind a flip in the index nothing is read: Badger may end the
// process, or find nothing. That it is found is held instead.
func TestNoFlipChangesAnAnswer(t *testing.T) {
	s, table := storeWithTable(t)
	outcomes := make(map[string]int)
	text := readFile(t, table)
	_, index, err := readTableIndexBytes(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	for at := range text {
		if err := flip(table, at); err != nil {
			t.Fatal(err)
		}
		if int64(at) < index {
			for i := range 20 {
				outcome := readUnderDamage(t, s, i)
				outcomes[outcome]++
				if outcome == "another" || outcome == "nothing" {
					t.Errorf("with a flip at byte %d of %d, entity %d is read as %s", at, index, i, outcome)
				}
			}
			if scanned, err := scanUnderDamage(t, s); err == nil && scanned != 20 {
				t.Errorf("with a flip at byte %d of %d, %d entities are visited, without an error", at, index, scanned)
			}
		}
		if inIndex := int64(at) >= index && int64(at) < index+int64(len(s.blocks.first().indexBytes)); inIndex != (s.blocks.verifyIndexes() != nil) {
			t.Errorf("a flip at byte %d: whether it is found in the index is %v", at, !inIndex)
		}
		if _, err := verifyTable(table, func() error { return nil }); err == nil {
			t.Errorf("a flip at byte %d is not found when the table is verified", at)
		}
		if err := flip(table, at); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("what reads came to: %v", outcomes)
	if outcomes["error"] == 0 {
		t.Error("the flips have not been met")
	}
	if outcome := readUnderDamage(t, s, 7); outcome != "the same" {
		t.Errorf("with no flip, an entity is read as %s", outcome)
	}
}

// TestOlderVersionIsNoAnswer damages, while the store is open, what came of an entity
// last. How it was before is whole, and in another table.
func TestOlderVersionIsNoAnswer(t *testing.T) {
	dir := t.TempDir()
	for _, state := range []string{"working", "suspended"} {
		s, err := Open(Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Update(t.Context(), tenant, func(tx *Tx) error {
			_, err := tx.PutEntity(authz.Entity{Ref: mina, Attributes: fmt.Appendf(nil, `{"is":"%s"}`, state)})
			return err
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	s := newStore(t, dir)
	var table *guardedTable
	for guarded := range s.blocks.all {
		if bytes.Contains(readFile(t, guarded.file.Name()), []byte("suspended")) {
			table = guarded
		}
	}
	later := table.file.Name()
	for at := range int(table.indexAt) {
		if err := flip(later, at); err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() { _ = recover() }()
			view, err := s.Latest(tenant)
			if err != nil {
				t.Fatal(err)
			}
			defer view.Close()
			if record, found, err := view.Entity(mina); err == nil && (!found || !bytes.Contains(record.Attributes, []byte("suspended"))) {
				t.Errorf("with a flip at byte %d the entity is %s, found %v", at, record.Attributes, found)
			}
		}()
		if err := flip(later, at); err != nil {
			t.Fatal(err)
		}
	}
	if s.Damage() == nil {
		t.Error("no damage is remembered")
	}
}

// TestMergedTableIsNoDamage has the file of a table go as Badger removes it, while it is
// read still.
func TestMergedTableIsNoDamage(t *testing.T) {
	s, table := storeWithTable(t)
	g := blockGuard{dir: t.TempDir()} // of a copy, for what Badger reads must not be cut off
	copied := filepath.Join(g.dir, filepath.Base(table))
	writeFile(t, copied, readFile(t, table))
	if failures := g.follow(s.db.Tables(), s.hasTable); len(failures) > 0 || g.first() == nil {
		t.Fatal(failures)
	}
	if err := os.Truncate(copied, 0); err != nil {
		t.Fatal(err)
	}
	key := y.KeyWithTs(refKey(tenant, spaceEntity, authz.EntityRef{Type: "user", ID: "u7"}), 1)
	if err := errors.Join(g.verifyKey(key), g.verifyRange(key, key), g.verifyIndexes(), g.close(), g.verifyKey(key)); err != nil {
		t.Error(err)
	}
	for has, want := range map[bool]int{true: 1, false: 0} {
		if failures := g.follow(s.db.Tables(), func(uint64) bool { return has }); len(failures) != want {
			t.Errorf("a table that there is (%v), and was cut off: %v", has, failures)
		}
	}
}

// TestDamageIsNotBackedUp flips a bit of a key, which is missed when all keys are read
// that there are, and has the backup be none.
func TestDamageIsNotBackedUp(t *testing.T) {
	s, table := storeWithTable(t)
	key := refKey(tenant, spaceEntity, authz.EntityRef{Type: "user", ID: "u7"})
	flipAt(t, table, string(key[len(key)-3:]))
	var text bytes.Buffer
	_, err := s.Backup(t.Context(), BackupOptions{}, &text)
	if err == nil || s.Damage() == nil {
		t.Errorf("a damaged store is backed up: %v, damage %v", err, s.Damage())
	}
	if _, _, err := readAll(text.Bytes()); err == nil {
		t.Error("what was written of the backup is taken for whole")
	}
}

// TestGuardFollowsTables has tables merged, and holds that those that there are, and no
// others, are verified beside reads.
func TestGuardFollowsTables(t *testing.T) {
	dir := t.TempDir()
	// What is loaded goes to the lowest level, and what is written to the first.
	if err := Load(LoadOptions{Dir: dir, Now: time.Unix(1e9, 0), Logger: zaptest.NewLogger(t)}, tenant, readMina, verifyNothing); err != nil {
		t.Fatal(err)
	}
	s := newStore(t, dir)
	if err := errors.Join(put(t, s, nurse), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = newStore(t, dir)
	follows := func() (ids []uint64) {
		s.guardOnce(true)
		for table := range s.blocks.all {
			ids = append(ids, table.id)
		}
		var there []uint64
		for _, info := range s.db.Tables() {
			there = append(there, info.ID)
		}
		slices.Sort(ids)
		slices.Sort(there)
		if !slices.Equal(ids, there) || s.Damage() != nil {
			t.Errorf("tables %v are verified, and there are %v; damage %v", ids, there, s.Damage())
		}
		if !holds(t, s, mina) || !holds(t, s, nurse) {
			t.Error("an entity is gone")
		}
		return ids
	}
	before := follows()
	if err := s.db.Flatten(1); err != nil {
		t.Fatal(err)
	}
	if after := follows(); slices.Equal(after, before) || len(after) == 0 {
		t.Errorf("tables %v were merged, and are %v", before, after)
	}
}

// first is a table.
func (g *blockGuard) first() *guardedTable {
	for t := range g.all {
		return t
	}
	return nil
}

// scanUnderDamage visits the entities.
func scanUnderDamage(t *testing.T, s *Store) (visited int, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("a panic")
		}
	}()
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	err = view.EachEntity("user", "", func(Record) bool { visited++; return true })
	return visited, err
}

// readUnderDamage tells what reading an entity comes to. Badger may panic, which whoever
// decides makes an error.
func readUnderDamage(t *testing.T, s *Store, i int) (outcome string) {
	defer func() {
		if recover() != nil {
			outcome = "panic"
		}
	}()
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	record, found, err := view.Entity(authz.EntityRef{Type: "user", ID: fmt.Sprint("u", i)})
	switch {
	case err != nil:
		return "error"
	case !found:
		return "nothing"
	case string(record.Attributes) != fmt.Sprintf(`{"mark":"mark-of-u%d-"}`, i):
		return "another"
	}
	return "the same"
}
