package writepolicy

import (
	"context"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// affected are the entities that may stand otherwise after a write than before: what is
// written, whose grants are written, what is below any of those, and the holders of the
// roles among them, which may permit or inherit something else than before. They are in
// the order in which they are found.
//
// Who was above something only before the write need not be looked at: it can give
// nothing any more.
func affected(ctx context.Context, proposal *directory.Proposal, concerned map[authz.EntityRef]bool, most int) ([]authz.EntityRef, error) {
	s := search{proposal: proposal, concerned: concerned, most: most, seen: make(map[authz.EntityRef]bool)}
	for _, change := range proposal.Changes() {
		if err := s.change(change); err != nil {
			return nil, err
		}
	}
	err := s.below(ctx)
	return s.found, err
}

// A search finds the entities that a write affects.
type search struct {
	proposal  *directory.Proposal
	concerned map[authz.EntityRef]bool
	most      int // entities
	seen      map[authz.EntityRef]bool
	found     []authz.EntityRef
}

func (s *search) change(change directory.Proposed) error {
	for _, grant := range []*authz.Grant{change.GrantBefore, change.GrantAfter} {
		if grant == nil {
			continue
		}
		matters, err := s.matters(grant.Role)
		if err != nil {
			return err
		}
		if matters {
			s.add(grant.Subject)
		}
	}
	if change.GrantID != "" {
		return nil
	}
	s.add(change.Entity)
	return nil
}

func (s *search) add(ref authz.EntityRef) {
	if !s.seen[ref] {
		s.seen[ref] = true
		s.found = append(s.found, ref)
	}
}

// below adds what is below those that were found, with the root's everything, and who
// holds the roles among them.
func (s *search) below(ctx context.Context) error {
	for at := 0; at < len(s.found); at++ {
		if err := s.bounded(ctx, len(s.found)); err != nil {
			return err
		}
		if s.found[at].IsRoot() {
			return s.tooMany() // everything stands below the root, and no edge leads there
		}
		add := func(ref authz.EntityRef) bool { s.add(ref); return len(s.found) <= s.most }
		if err := s.proposal.EachChild(s.found[at], add); err != nil {
			return err
		}
		if s.found[at].Type != authz.RoleType {
			continue
		}
		matters, err := s.matters(s.found[at])
		if err == nil && matters {
			err = s.proposal.EachHolder(s.found[at], add)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *search) tooMany() error {
	return authz.Errorf(authz.LimitExceeded, "the write has more than %d entities stand otherwise than before, more than the policy can be asked about: write less at once, or let the policy say in %s by which roles grants matter", s.most, rolesRule)
}

func (s *search) bounded(ctx context.Context, n int) error {
	if n > s.most {
		return s.tooMany()
	}
	if n%256 == 0 {
		return ctx.Err()
	}
	return nil
}

// matters reports whether a grant of a role does: it is one of those concerned, or
// above one.
func (s *search) matters(role authz.EntityRef) (bool, error) {
	if s.concerned == nil {
		return true, nil
	}
	after := s.proposal.After()
	queue, seen := []authz.EntityRef{role}, map[authz.EntityRef]bool{role: true}
	for len(queue) > 0 {
		role, queue = queue[0], queue[1:]
		if s.concerned[role] {
			return true, nil
		}
		entity, _, err := after.Entity(role)
		if err != nil {
			return false, err
		}
		for _, parent := range entity.Parents {
			if !seen[parent] {
				seen[parent] = true
				queue = append(queue, parent)
			}
		}
	}
	return false, nil
}
