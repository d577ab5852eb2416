package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

// put writes an entity.
func put(t *testing.T, s *Store, ref authz.EntityRef) error {
	t.Helper()
	_, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
		_, err := tx.PutEntity(authz.Entity{Ref: ref})
		return err
	})
	return err
}

func TestPanicFailsOneWrite(t *testing.T) {
	s := newStore(t, "")
	tests := []struct {
		name  string
		write func() error
	}{
		{"in the caller's function", func() error {
			_, err := s.Update(t.Context(), tenant, func(*Tx) error { panic("oops") })
			return err
		}},
		{"working out its effect", func() error {
			_, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
				tx.order = append(tx.order, Touch{Op: PutEntity, Ref: mina}) // of which there is no change
				return nil
			})
			return err
		}},
		{"putting its group together", func() error {
			_, err := s.begin(&group{effects: []*effect{nil}})
			return err
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := test.write(); authz.KindOf(err) != authz.Internal || !strings.Contains(err.Error(), "the write panicked") {
				t.Errorf("error %v", err)
			}
		})
	}
	fill(t, s)
}

// TestTornCommitIsDropped has a commit fail when it is in memory, and its end
// is not in the log. Neither closing the store nor opening it again shows it.
func TestTornCommitIsDropped(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.db.Close() }() // which the end of the process does without
	fill(t, s)
	commitAt := s.commitAt
	broken := errors.New("broken")
	s.commitAt = func(txn *badger.Txn, revision uint64) error {
		return errors.Join(commitAt(txn, revision), broken)
	}
	if err := put(t, s, nurse); authz.KindOf(err) != authz.Unavailable || !errors.Is(err, broken) {
		t.Errorf("a commit that fails: %v", err)
	}
	if err := put(t, s, night); !errors.Is(err, broken) {
		t.Errorf("a write after it: %v", err)
	}
	if err := s.Refused(); !errors.Is(err, broken) {
		t.Errorf("why writes are refused: %v", err)
	}
	if _, latest := s.Revisions(); latest != 1 {
		t.Errorf("revision %d is published", latest)
	}
	if err := s.Close(); !errors.Is(err, broken) {
		t.Errorf("closing: %v", err)
	}

	left := t.TempDir()
	copyStore(t, left, dir)
	cutLog(t, left)
	again := newStore(t, left)
	if _, latest := again.Revisions(); latest != 1 {
		t.Errorf("revision %d is there after a restart", latest)
	}
	if err := put(t, again, nurse); err != nil {
		t.Error(err)
	}
}

// copyStore copies a store that is open, but for its value log, which is a
// large file with nothing in it.
func copyStore(t testing.TB, to, from string) {
	t.Helper()
	children, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range children {
		if filepath.Ext(child.Name()) == ".vlog" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, child.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, child.Name()), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// cutLog cuts the log of a store off before the end of its last transaction.
func cutLog(t *testing.T, dir string) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs %q, %v", logs, err)
	}
	text, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndex(text, []byte("!badger!txn"))
	if end < 0 {
		t.Fatal("the log has no transaction")
	}
	clear(text[end:])
	if err := os.WriteFile(logs[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
}
