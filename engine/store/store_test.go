package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

func newStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

const tenant = "workforce"

var (
	mina  = authz.EntityRef{Type: "user", ID: "mina"}
	night = authz.EntityRef{Type: "group", ID: "night"}
	nurse = authz.EntityRef{Type: "role", ID: "nurse"}
)

// fill writes an entity with a parent and a grant with a window.
func fill(t testing.TB, s *Store) {
	t.Helper()
	_, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
		_, err := tx.PutEntity(authz.Entity{Ref: mina, Attributes: []byte(`{"manager":"role:nurse"}`), Parents: []authz.EntityRef{night}})
		_, err2 := tx.PutGrant(authz.Grant{ID: "g", Subject: mina, Role: nurse, NotAfter: time.Unix(1, 0)})
		return errors.Join(err, err2)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCheckFindsDamage damages each derived key behind the store's back.
func TestCheckFindsDamage(t *testing.T) {
	grant := authz.Grant{ID: "g", Subject: mina, Role: nurse, NotAfter: time.Unix(1, 0)}
	other := grant
	other.Reason = "another"
	tests := []struct {
		name   string
		damage entry
		want   string
	}{
		{"reverse edge that is gone", entry{key: appendRef(refKey(tenant, spaceChild, night), mina)}, "index child by parent lacks user:mina"},
		{"reverse edge too many", entry{appendRef(refKey(tenant, spaceChild, night), nurse), present}, "index child by parent has 2 entries: expected 1"},
		{"reference that is gone", entry{key: appendComponent(referenceKey(tenant, reference{"manager", nurse}, mina.Type), mina.ID)}, "index entity by reference lacks user:mina"},
		{"reference too many", entry{appendComponent(referenceKey(tenant, reference{"manager", night}, mina.Type), mina.ID), present}, "index entity by reference has 2 entries: expected 1"},
		{"grant by subject that is gone", entry{key: appendComponent(refKey(tenant, spaceBySubject, mina), "g")}, "index grant by subject lacks grant g"},
		{"grant by subject that is another", entry{appendComponent(refKey(tenant, spaceBySubject, mina), "g"), appendGrant(nil, other)}, "index grant by subject holds another grant g"},
		{"grant by role that is gone", entry{key: appendComponent(refKey(tenant, spaceByRole, nurse), "g")}, "index grant by role lacks grant g"},
		{"grant by scope that is gone", entry{key: appendComponent(refKey(tenant, spaceByScope, authz.Root(tenant)), "g")}, "index grant by scope lacks grant g"},
		{"grant by expiry that is gone", entry{key: appendComponent(appendSortableTime(prefix(tenant, spaceByExpiry), grant.NotAfter), "g")}, "index grant by expiry lacks grant g"},
		{"links that are wrong", entry{refKey(tenant, spaceLinks, night), appendLinks(nil, Links{Children: 2})}, "the links of group:night are"},
		{"links that are gone", entry{key: refKey(tenant, spaceLinks, mina)}, "all links come to"},
		{"change record that is gone", entry{key: changeKey(tenant, 1, 0)}, "the last change record is that of revision 0: expected 1"},
		{"change record that says less", appendChangeRecord(nil, tenant, ChangeRecord{Revision: 1}, items{})[0], "user:mina is of revision 1, and the change records say 0"},
		{"entity that is gone", entry{key: refKey(tenant, spaceEntity, mina)}, "index child by parent has 1 entries: expected 0"},
		{"entity of another revision", entry{refKey(tenant, spaceEntity, mina), appendEntity(nil, authz.Entity{Parents: []authz.EntityRef{night}})}, "user:mina is of revision 2, and the change records say 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newStore(t, "")
			fill(t, s)
			txn := s.db.NewTransactionAt(1, true)
			if err := set(txn, test.damage, 2); err != nil {
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
			var found []string
			if err := view.Check(t.Context(), func(damage string) bool { found = append(found, damage); return true }); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(found, "\n"), test.want) {
				t.Errorf("found %q, expected %q", found, test.want)
			}
		})
	}
}

// A countingContext calls at with the number of each look at it, and returns
// what that returns.
type countingContext struct {
	context.Context
	looks int
	at    func(look int) error
}

func (c *countingContext) Err() error {
	c.looks++
	return c.at(c.looks)
}

// checkLatest checks the latest revision, and expects no damage.
func checkLatest(t *testing.T, s *Store, ctx context.Context) error {
	t.Helper()
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	return view.Check(ctx, func(damage string) bool { t.Error(damage); return true })
}

// TestCheckEndsWithItsContext ends a check at each of its looks at the context.
func TestCheckEndsWithItsContext(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	all := &countingContext{Context: t.Context(), at: func(int) error { return nil }}
	if err := checkLatest(t, s, all); err != nil {
		t.Fatal(err)
	}
	for last := range all.looks {
		ctx := &countingContext{Context: t.Context(), at: func(look int) error {
			if look > last {
				return context.Canceled
			}
			return nil
		}}
		if err := checkLatest(t, s, ctx); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "damaged") {
			t.Errorf("after %d looks: %v", last, err)
		}
	}
}

// TestCheckGoesOnWhileHistoryExpires has all history leave the window at one
// of the looks that a check takes, each in turn.
func TestCheckGoesOnWhileHistoryExpires(t *testing.T) {
	now := time.Unix(1e9, 0)
	s, err := Open(Options{Retention: time.Minute, Clock: func() time.Time { return now }, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	refs := []authz.EntityRef{mina, night, nurse}
	write := func(times int) {
		for range times {
			if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
				_, latest := s.Revisions()
				_, err := tx.PutEntity(authz.Entity{Ref: refs[latest%3], Attributes: fmt.Appendf(nil, `{"n":%d}`, latest)})
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for expired, looks := 0, 1; expired < looks; expired++ {
		write(10)
		ctx := &countingContext{Context: t.Context(), at: func(look int) error {
			if look == expired+1 {
				now = now.Add(time.Hour)
				write(2)
			}
			return nil
		}}
		if err := checkLatest(t, s, ctx); err != nil {
			t.Errorf("history that expires after %d looks: %v", expired, err)
		}
		looks = max(looks, ctx.looks)
	}
}

// TestViewKnowsItsFloor has a commit published that has moved the floor, of
// which the store itself learns a moment later.
func TestViewKnowsItsFloor(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	before, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer before.Close()
	txn := s.db.NewTransactionAt(1, true)
	for _, e := range []entry{{key: changeKey(tenant, 1, 0)}, {systemKey(systemFloor), appendNumber(1)}} {
		if err := set(txn, e, 2); err != nil {
			t.Fatal(err)
		}
	}
	if err := txn.CommitAt(2, nil); err != nil {
		t.Fatal(err)
	}
	s.publish(s.published.Load().next(2, nil))
	if err := checkLatest(t, s, t.Context()); err != nil {
		t.Error(err)
	}
	after, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	for want, view := range []*View{before, after} {
		if floor, err := view.Floor(); err != nil || floor != uint64(want) {
			t.Errorf("the floor at revision %d is %d, %v: expected %d", view.Revision(), floor, err, want)
		}
	}
}

func TestDamagedValueIsAnError(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	txn := s.db.NewTransactionAt(1, true)
	for _, key := range [][]byte{refKey(tenant, spaceEntity, mina), refKey(tenant, spaceLinks, mina)} {
		if err := txn.Set(key, []byte{0xff}); err != nil {
			t.Fatal(err)
		}
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
	if _, _, err := view.Entity(mina); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged entity: %v", err)
	}
	if err := view.EachEntity("user", "", func(Record) bool { return true }); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged entity among others: %v", err)
	}
	if _, err := view.Links(mina); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged links: %v", err)
	}
}

func TestOtherFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	db, err := badger.OpenManaged(badgerOptions(dir, zaptest.NewLogger(t)))
	if err != nil {
		t.Fatal(err)
	}
	txn := db.NewTransactionAt(0, true)
	if err := txn.Set(systemKey(systemFormat), appendNumber(format+1)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(txn.CommitAt(1, nil), db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Options{Dir: dir, Clock: time.Now, Logger: zaptest.NewLogger(t)})
	if authz.KindOf(err) != authz.FailedPrecondition || !strings.Contains(err.Error(), fmt.Sprintf("has format %d, which a later program wrote", format+1)) {
		t.Errorf("error %v", err)
	}
}

func TestPinsAreGivenBack(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error { _, err := tx.DeleteEntity(mina); return err }); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		for _, revision := range []uint64{0, 1, 2} {
			view, err := s.At(tenant, revision)
			if err != nil {
				t.Fatal(err)
			}
			view.Close()
			view.Close() // again does nothing
		}
	}
	if views, versions := s.openViews(), len(s.pinned); views != 0 || versions > 2 {
		t.Errorf("%d views are open, and %d versions are remembered", views, versions)
	}
}

// TestVersionsBelowTheFloorAreDiscarded writes one entity again and again, and
// looks at how much of it is left after a compaction.
func TestVersionsBelowTheFloorAreDiscarded(t *testing.T) {
	now := time.Unix(1e9, 0)
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir, Retention: time.Minute, Clock: func() time.Time { return now }, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		now = now.Add(10 * time.Second)
		if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
			_, err := tx.PutEntity(authz.Entity{Ref: mina, Attributes: fmt.Appendf(nil, `{"n":%d}`, i)})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	floor, latest := s.Revisions()
	if floor != 94 || latest != 100 {
		t.Fatalf("revisions %d to %d are kept, expected 94 to 100", floor, latest)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// A store discards when it compacts; closing with this option does.
	s = &Store{options: Options{Clock: time.Now, Logger: zaptest.NewLogger(t)}}
	if s.db, err = badger.OpenManaged(badgerOptions(dir, s.options.Logger).WithCompactL0OnClose(true)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.recover(), s.db.Close()); err != nil {
		t.Fatal(err)
	}
	s = newStore(t, dir)
	txn := s.db.NewTransactionAt(latest, false)
	defer txn.Discard()
	it := txn.NewKeyIterator(refKey(tenant, spaceEntity, mina), badger.IteratorOptions{})
	defer it.Close()
	versions := 0
	for it.Rewind(); it.Valid(); it.Next() {
		versions++
	}
	if versions != 7 {
		t.Errorf("%d versions are left of 100, expected those of revisions 94 to 100", versions)
	}
}
