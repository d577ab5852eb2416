package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

// storeWithTable is an open store whose records lie in a table.
func storeWithTable(t *testing.T) (s *Store, table string) {
	t.Helper()
	dir := t.TempDir()
	options := Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)}
	s, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Update(t.Context(), tenant, func(tx *Tx) error {
		for i := range 20 {
			ref := authz.EntityRef{Type: "user", ID: fmt.Sprint("u", i)}
			if _, err := tx.PutEntity(authz.Entity{Ref: ref, Attributes: fmt.Appendf(nil, `{"mark":"mark-of-u%d-"}`, i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("tables %q, %v", tables, err)
	}
	return newStore(t, dir), tables[0]
}

// flipAt flips a bit where a text stands in a file.
func flipAt(t *testing.T, path, text string) {
	t.Helper()
	at := bytes.Index(readFile(t, path), []byte(text))
	if at < 0 {
		t.Fatalf("%s has no %q", path, text)
	}
	if err := flip(path, at); err != nil {
		t.Fatal(err)
	}
}

// TestDamageToAnOpenStore flips a bit of a record while the store is open. What is
// read of its block is an error, and nothing is written.
func TestDamageToAnOpenStore(t *testing.T) {
	s, table := storeWithTable(t)
	flipAt(t, table, "mark-of-u7-")
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	if s.Damage() != nil || s.Refused() != nil {
		t.Errorf("damage %v, refused %v before any was met", s.Damage(), s.Refused())
	}
	if _, found, err := view.Entity(authz.EntityRef{Type: "user", ID: "u7"}); err == nil || found || authz.KindOf(err) != authz.Internal || !strings.Contains(err.Error(), "the store is damaged: "+table+": block 0") {
		t.Errorf("the damaged entity: %v, %v", found, err)
	}
	if err := view.EachEntity("user", "", func(Record) bool { return true }); err == nil {
		t.Error("all entities are visited, with a damaged one among them")
	}
	view.Close()
	if s.Damage() == nil {
		t.Error("the damage is not remembered")
	}
	wantError(t, s.Refused(), authz.Unavailable, "it is damaged")
	wantError(t, put(t, s, nurse), authz.Unavailable, "restore it from a backup")
	if strings.Contains(s.Refused().Error(), "u7") {
		t.Errorf("who writes is told of another's entity: %v", s.Refused())
	}
}

// TestScrubFindsDamage flips a bit that no read has met.
func TestScrubFindsDamage(t *testing.T) {
	s, table := storeWithTable(t)
	if err := s.scrub(t.Context(), 1<<40); err != nil {
		t.Fatal(err)
	}
	flipAt(t, table, "mark-of-u7-")
	wantError(t, s.scrub(t.Context(), 0), authz.FailedPrecondition, table)
	if s.Damage() == nil || !strings.Contains(s.Damage().Error(), table) {
		t.Errorf("damage %v: expected the table's name", s.Damage())
	}
	view, err := s.Latest("another-tenant")
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	var found []string
	if err := view.Check(t.Context(), func(damage string) bool { found = append(found, damage); return true }); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || !strings.Contains(found[0], table) {
		t.Errorf("a check finds %q: expected the table", found)
	}
}

// TestMissingIndexEntriesAreAnError takes away what says which grants an entity has,
// as damage to keys does: that there are none is no answer.
func TestMissingIndexEntriesAreAnError(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	txn := s.db.NewTransactionAt(1, true)
	if err := set(txn, entry{key: appendComponent(refKey(tenant, spaceBySubject, mina), "g")}, 2); err != nil {
		t.Fatal(err)
	}
	if err := txn.CommitAt(2, nil); err != nil {
		t.Fatal(err)
	}
	s.publish(s.published.Load().next(2, nil))
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if _, err := view.GrantsOf(mina, 1); err == nil || !strings.Contains(err.Error(), "0 grants are found: expected 1") {
		t.Errorf("error %v", err)
	}
}

// TestSlowDiskHoldsUpNoReader has a sync take until the test ends it.
func TestSlowDiskHoldsUpNoReader(t *testing.T) {
	s := newStore(t, t.TempDir())
	fill(t, s)
	syncing, synced := make(chan struct{}), make(chan struct{})
	commitAt := s.commitAt
	s.commitAt = func(txn *badger.Txn, revision uint64) error {
		close(syncing)
		<-synced
		return commitAt(txn, revision)
	}
	written := make(chan error, 1)
	go func() { written <- put(t, s, nurse) }()
	<-syncing
	for range 1000 {
		if !holds(t, s, mina) || holds(t, s, nurse) {
			t.Fatal("what is read while a write is synced is not what was there before")
		}
	}
	select {
	case err := <-written:
		t.Fatalf("the write is acknowledged before it is on disk: %v", err)
	default:
	}
	close(synced)
	if err := <-written; err != nil || !holds(t, s, nurse) {
		t.Errorf("the write: %v", err)
	}
}

// TestNoDescriptorRefusesWrites has a directory that cannot be opened, which stands
// for any reason; those that the process runs out of are tried on the real server.
func TestNoDescriptorRefusesWrites(t *testing.T) {
	d := disk{filepath.Join(t.TempDir(), "none"), freeBytes}
	wantError(t, d.expectDescriptor(), authz.Unavailable, "cannot be opened")
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.expectDescriptor(), disk{}.expectDescriptor()); err != nil {
		t.Error(err)
	}
}
