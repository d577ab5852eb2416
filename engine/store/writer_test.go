package store

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

// A gate holds up the commits of a store.
type gate struct{ reached, open chan struct{} }

// holdCommits makes a store whose commits wait at a gate.
func holdCommits(t *testing.T, free func(string) (int64, bool)) (*Store, gate) {
	t.Helper()
	s, err := open(Options{Dir: t.TempDir(), Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)}, free)
	if err != nil {
		t.Fatal(err)
	}
	g := gate{make(chan struct{}, 10), make(chan struct{})}
	t.Cleanup(func() {
		close(g.open)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	commitAt := s.commitAt
	s.commitAt = func(txn *badger.Txn, revision uint64) error {
		g.reached <- struct{}{}
		<-g.open
		return commitAt(txn, revision)
	}
	return s, g
}

func (g gate) pass() {
	<-g.reached
	g.open <- struct{}{}
}

// putting is a write of an entity.
func putting(e authz.Entity) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := tx.PutEntity(e)
		return err
	}
}

// TestNextCommitIsGatheredMeanwhile has writes arrive while a commit is put on
// disk: one of something else is accepted, and one that rests on it waits.
func TestNextCommitIsGatheredMeanwhile(t *testing.T) {
	s, g := holdCommits(t, freeBytes)
	begin := func(e authz.Entity) *Write {
		t.Helper()
		w, err := s.Begin(t.Context(), tenant, nil, putting(e))
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	first := begin(authz.Entity{Ref: mina, Parents: []authz.EntityRef{night}})
	<-g.reached
	second := begin(authz.Entity{Ref: nurse})
	if _, latest := s.Revisions(); latest != 0 {
		t.Fatalf("revision %d is published", latest)
	}

	// Whether the group has children decides whether the epoch changes with it.
	third := make(chan *Write)
	go func() {
		w, err := s.Begin(t.Context(), tenant, nil, putting(authz.Entity{Ref: night, Attributes: []byte(`{"a":1}`)}))
		if err != nil {
			t.Error(err)
		}
		third <- w
	}()
	select {
	case <-third:
		t.Fatal("a write that rests on one that is not on disk is accepted")
	case <-time.After(50 * time.Millisecond):
	}

	g.open <- struct{}{}
	waited := <-third
	g.pass()
	for _, want := range []struct {
		write    *Write
		revision uint64
	}{{first, 1}, {second, 2}, {waited, 2}} {
		if revision, err := want.write.Wait(t.Context()); err != nil || revision != want.revision {
			t.Errorf("a write became revision %d, expected %d: %v", revision, want.revision, err)
		}
	}
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if view.Epoch() != 2 {
		t.Errorf("the epoch is %d after a change above a leaf at revision 2", view.Epoch())
	}
}

// TestWriteAfterOneThatFails has the disk be full for one moment, between two
// writes that belong together.
func TestWriteAfterOneThatFails(t *testing.T) {
	var full atomic.Bool
	s, g := holdCommits(t, func(string) (int64, bool) {
		if full.Swap(false) {
			return 0, true
		}
		return 1 << 40, true
	})
	ctx := t.Context()
	if _, err := s.Begin(ctx, tenant, nil, putting(authz.Entity{Ref: nurse})); err != nil {
		t.Fatal(err)
	}
	<-g.reached
	failing, err := s.Begin(ctx, tenant, nil, putting(authz.Entity{Ref: mina}))
	if err != nil {
		t.Fatal(err)
	}
	after := make(chan error)
	go func() { // of the same entity, and so it waits
		_, err := s.Begin(ctx, tenant, failing, putting(authz.Entity{Ref: mina, Parents: []authz.EntityRef{night}}))
		after <- err
	}()
	time.Sleep(10 * time.Millisecond)
	full.Store(true)
	g.open <- struct{}{}
	if _, err := failing.Wait(ctx); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("a write for which there is no room: %v", err)
	}
	if err := <-after; authz.KindOf(err) != authz.Unavailable {
		t.Errorf("a write that comes after it: %v", err)
	}
	if !holds(t, s, nurse) || holds(t, s, mina) {
		t.Error("expected what was there before the failure, and nothing else")
	}
}

// TestWritesOfOneEntityAllGetThrough has many writes wait for each other.
func TestWritesOfOneEntityAllGetThrough(t *testing.T) {
	s := newStore(t, "")
	const writes = 3 * maxGroupWrites
	errs := make(chan error, writes)
	for range writes {
		go func() {
			_, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
				record, _, err := tx.Entity(mina)
				if err != nil {
					return err
				}
				_, err = tx.PutEntity(authz.Entity{Ref: mina, Attributes: append(record.Attributes, 'x')})
				return err
			})
			errs <- err
		}()
	}
	for range writes {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if record, _, err := view.Entity(mina); err != nil || len(record.Attributes) != writes || view.Revision() != writes {
		t.Errorf("%d writes left %d marks at revision %d: %v", writes, len(record.Attributes), view.Revision(), err)
	}
}

// TestClosedStoreAnswersWhatWaits closes a store whose commit is held up.
func TestClosedStoreAnswersWhatWaits(t *testing.T) {
	s, g := holdCommits(t, freeBytes)
	first, err := s.Begin(t.Context(), tenant, nil, putting(authz.Entity{Ref: mina}))
	if err != nil {
		t.Fatal(err)
	}
	<-g.reached
	second, err := s.Begin(t.Context(), tenant, first, putting(authz.Entity{Ref: nurse}))
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	<-s.closing
	if _, err := second.Wait(expired()); authz.KindOf(err) == authz.Unavailable {
		t.Errorf("answered before the commit ended: %v", err)
	}
	g.open <- struct{}{}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if revision, err := first.Wait(t.Context()); err != nil || revision != 1 {
		t.Errorf("the write on its way to the disk became revision %d: %v", revision, err)
	}
	if _, err := second.Wait(t.Context()); authz.KindOf(err) != authz.Unavailable {
		t.Errorf("the write behind it: %v", err)
	}
}

// expired is a context that has ended.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// TestWhatIsThereCountsAtTheEnd asks for a write that was accepted and answered
// when the store closed and the context ended at the same time.
func TestWhatIsThereCountsAtTheEnd(t *testing.T) {
	for range 100 { // which of several channels is taken is up to chance
		w := &Write{accepted: make(chan struct{}), done: make(chan struct{}), stopped: make(chan struct{})}
		close(w.accepted)
		close(w.stopped)
		if err := w.until(t.Context(), w.accepted); err != nil {
			t.Fatalf("an accepted write: %v", err)
		}
		w.answer(7, nil)
		if revision, err := w.Wait(expired()); revision != 7 || err != nil {
			t.Fatalf("a write of revision 7: %d, %v", revision, err)
		}
	}
}
