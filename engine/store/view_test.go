package store

import (
	"errors"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/verdictpdp/verdict/api/authz"
)

// A view opens nothing until it is read, and then reads what was there when it
// was made.
func TestViewIsOpenedByItsFirstRead(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if view.opened.Load() != nil {
		t.Error("the view is open before it is read")
	}
	if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error { _, err := tx.DeleteEntity(mina); return err }); err != nil {
		t.Fatal(err)
	}
	if _, known, err := view.Entity(mina); err != nil || !known {
		t.Errorf("what was deleted after the view was made: known %v, %v", known, err)
	}
}

func TestViewThatIsClosedReadsNothing(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	for name, use := range map[string]func(*View){
		"unread": func(*View) {},
		"read":   func(view *View) { _, _, _ = view.Entity(authz.EntityRef{}) },
	} {
		view, err := s.Latest(tenant)
		if err != nil {
			t.Fatal(err)
		}
		use(view)
		view.Close()
		if _, _, err := view.Entity(mina); !errors.Is(err, badger.ErrDiscardedTxn) {
			t.Errorf("%s: reading after Close: %v", name, err)
		}
	}
	if n := s.openViews(); n != 0 {
		t.Errorf("%d views are open", n)
	}
}
