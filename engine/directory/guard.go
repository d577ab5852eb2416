package directory

import (
	"context"
	"errors"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// A Guard says why a write may not be made: nil where it may. It is asked when all
// changes of the write are made and before any is committed, and what it reads stays
// as it is until the write is made. It may be asked about one write more than once,
// and never about two at a time.
type Guard func(ctx context.Context, proposal *Proposal) error

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

// isRefusal reports whether an error is the guard's no to a write, and not what kept it
// from an answer.
func isRefusal(err error) bool {
	var g guarded
	kind := authz.KindOf(err)
	return errors.As(err, &g) && (kind == authz.FailedPrecondition || kind == authz.PermissionDenied)
}

// writes is a write by an author, as the store runs it: it makes the changes, asks the
// guard, and records what waits to be recorded of the policy.
func (d *Directory) writes(ctx context.Context, author authz.Author, changes func(*store.Tx) error) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		tx.By(author)
		if err := changes(tx); err != nil || !tx.Changed() {
			return err
		}
		if d.guard != nil {
			if err := d.guard(ctx, &Proposal{tx, author}); err != nil {
				return guarded{err}
			}
		}
		return d.unrecorded.record(tx)
	}
}
