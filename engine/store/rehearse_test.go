package store

import (
	"errors"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

func reading(ref authz.EntityRef) func(*Tx) error {
	return func(tx *Tx) error {
		_, _, err := tx.EntityBefore(ref)
		return err
	}
}

func TestRehearsalStandsUntilTheTenantChanges(t *testing.T) {
	s := newStore(t, "")
	fill(t, s)
	rehearsal, err := s.Rehearse(tenant, reading(mina))
	if err != nil {
		t.Fatal(err)
	}
	stands := func() (stands bool) {
		t.Helper()
		if _, err := s.Update(t.Context(), tenant, func(tx *Tx) (err error) {
			stands, err = tx.Stands(rehearsal)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return stands
	}
	if !stands() {
		t.Error("it does not stand where nothing has changed")
	}
	if _, err := s.Update(t.Context(), "another", putting(authz.Entity{Ref: mina})); err != nil {
		t.Fatal(err)
	}
	if !stands() {
		t.Error("it does not stand where another tenant has changed")
	}
	if _, err := s.Update(t.Context(), tenant, putting(authz.Entity{Ref: authz.EntityRef{Type: "user", ID: "ida"}})); err != nil {
		t.Fatal(err)
	}
	if stands() {
		t.Error("it stands where the tenant has changed")
	}
}

// TestRehearsalRestsOnWritesThatAreNotOnDisk has what was read change by a write that
// is accepted, and not published.
func TestRehearsalRestsOnWritesThatAreNotOnDisk(t *testing.T) {
	s, g := holdCommits(t, freeBytes)
	rehearsal, err := s.Rehearse(tenant, reading(mina))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Begin(t.Context(), tenant, nil, putting(authz.Entity{Ref: mina})); err != nil {
		t.Fatal(err)
	}
	<-g.reached
	var stood []bool
	done := make(chan error, 1)
	go func() {
		_, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
			stands, err := tx.Stands(rehearsal)
			stood = append(stood, stands)
			if err == nil && stands {
				err = putting(authz.Entity{Ref: night})(tx)
			}
			return err
		})
		done <- err
	}()
	g.open <- struct{}{}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if last := stood[len(stood)-1]; last || holds(t, s, night) {
		t.Errorf("it stood %v, though what it rests on has changed", stood)
	}
}

func TestRehearsalMakesNothing(t *testing.T) {
	s := newStore(t, "")
	if _, err := s.Rehearse(tenant, putting(authz.Entity{Ref: mina})); err != nil || holds(t, s, mina) {
		t.Errorf("a rehearsal has written: %v", err)
	}
	refused := errors.New("no")
	if _, err := s.Rehearse(tenant, func(*Tx) error { return refused }); err != refused {
		t.Errorf("the error of a rehearsal is %v", err)
	}
	if _, err := s.Rehearse(tenant, func(*Tx) error { panic("at the rehearsal") }); authz.KindOf(err) != authz.Internal {
		t.Errorf("the error of a rehearsal that panics is %v", err)
	}
}
