package directory

import (
	"context"
	"errors"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// A Guard says which writes may not be made.
type Guard interface {
	// Asks reports whether it has anything to say of an author's writes of a tenant.
	Asks(tenant string, by authz.Author) bool
	// Check is why a write may not be made: nil where it may. All changes of the write
	// are made then and none is committed, and what it reads stays as it is until the
	// write is made. It may be called about one write more than once, and about several
	// at a time.
	Check(ctx context.Context, proposal *Proposal) error
}

// A Proposal is a write that is about to be made.
type Proposal struct {
	tx     *store.Tx
	author authz.Author
}

// A Proposed is one entity or grant before and after a write.
type Proposed = store.Proposed

// Tenant is the tenant that is written.
func (p *Proposal) Tenant() string { return p.tx.Tenant() }

// Author is who writes.
func (p *Proposal) Author() authz.Author { return p.author }

// Changes are the entities and grants that the write changes, those of a deleted
// entity among them.
func (p *Proposal) Changes() []Proposed { return p.tx.Proposed() }

// EachChild visits the entities whose parent an entity is after the write, until visit
// returns false.
func (p *Proposal) EachChild(parent authz.EntityRef, visit func(authz.EntityRef) bool) error {
	return p.tx.EachChild(parent, visit)
}

// EachHolder visits the subjects of the grants of a role after the write, until visit
// returns false; one may be visited more than once.
func (p *Proposal) EachHolder(role authz.EntityRef, visit func(subject authz.EntityRef) bool) error {
	return p.tx.EachHolder(role, visit)
}

// Before is the directory without the write, and After with it.
func (p *Proposal) Before() *ProposalSide { return &ProposalSide{p.tx, false} }

// After is the directory with the write.
func (p *Proposal) After() *ProposalSide { return &ProposalSide{p.tx, true} }

// A ProposalSide reads the directory as it is without a write, or would be with it.
type ProposalSide struct {
	tx    *store.Tx
	after bool
}

// Tenant is the tenant that is read.
func (s *ProposalSide) Tenant() string { return s.tx.Tenant() }

// Revision is the one that the write rests on.
func (s *ProposalSide) Revision() uint64 { return s.tx.Revision() }

// Epoch is not known, so that nothing that is read is kept.
func (s *ProposalSide) Epoch() uint64 { return 0 }

// Entity reads an entity, and reports whether there is one.
func (s *ProposalSide) Entity(ref authz.EntityRef) (authz.Entity, bool, error) {
	if s.after {
		record, found, err := s.tx.Entity(ref)
		return record.Entity, found, err
	}
	return s.tx.EntityBefore(ref)
}

// GrantsOf reads the grants whose subject is the entity, in the order of their ids. More
// than MaxGrantsOf are an error of kind LimitExceeded.
func (s *ProposalSide) GrantsOf(subject authz.EntityRef) ([]authz.Grant, error) {
	if s.after {
		return s.tx.GrantsOf(subject, MaxGrantsOf)
	}
	return s.tx.GrantsOfBefore(subject, MaxGrantsOf)
}

var errIterates = authz.Errorf(authz.FailedPrecondition, "a policy for writes cannot go through all entities: let it look them up by their ids, as those in input.changes and input.subjects")

// EachID refuses: a write would rest on every entity of the type.
func (s *ProposalSide) EachID(string, string, func(string) bool) error { return errIterates }

// EachType refuses, as EachID does.
func (s *ProposalSide) EachType(func(string) bool) error { return errIterates }

// guarded is what the guard says against a write.
type guarded struct{ error }

func (g guarded) Unwrap() error { return g.error }

// isGuards reports whether an error comes from the guard.
func isGuards(err error) bool {
	var g guarded
	return errors.As(err, &g)
}

// isRefusal reports whether an error is the guard's no to a write, and not what kept it
// from an answer.
func isRefusal(err error) bool {
	kind := authz.KindOf(err)
	return isGuards(err) && (kind == authz.FailedPrecondition || kind == authz.PermissionDenied)
}

// begin begins a write by an author, after another if there is one: it makes the
// changes, asks the guard, and records what waits to be recorded of the policy.
//
// The guard is asked beforehand, while others write. Its answer counts if nothing of the
// tenant has changed when the write is made; else it is asked again, and others wait.
func (d *Directory) begin(ctx context.Context, tenant string, author authz.Author, after *store.Write, changes func(*store.Tx) error) (*store.Write, error) {
	guarded := d.guard != nil && d.guard.Asks(tenant, author)
	var rehearsed *store.Rehearsal
	if guarded {
		if after != nil { // the guard is to see what it has written
			if _, err := after.Wait(ctx); err != nil {
				return nil, err
			}
		}
		var err error
		if rehearsed, err = d.store.Rehearse(tenant, d.asking(ctx, author, changes)); isGuards(err) {
			return nil, err
		}
		// Any other error is the write's own.
	}
	return d.store.Begin(ctx, tenant, after, func(tx *store.Tx) error {
		tx.By(author)
		if err := changes(tx); err != nil || !tx.Changed() {
			return err
		}
		stands, err := !guarded, error(nil)
		if rehearsed != nil {
			stands, err = tx.Stands(rehearsed)
		}
		if err == nil && !stands {
			err = d.check(ctx, tx, author)
		}
		if err != nil {
			return err
		}
		return d.unrecorded.record(tx)
	})
}

// asking is a write that only asks the guard.
func (d *Directory) asking(ctx context.Context, author authz.Author, changes func(*store.Tx) error) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		if err := changes(tx); err != nil || !tx.Changed() {
			return err
		}
		return d.check(ctx, tx, author)
	}
}

func (d *Directory) check(ctx context.Context, tx *store.Tx, author authz.Author) error {
	if err := d.guard.Check(ctx, &Proposal{tx, author}); err != nil {
		return guarded{err}
	}
	return nil
}
