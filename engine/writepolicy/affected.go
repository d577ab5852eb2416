package writepolicy

import (
	"context"
	"errors"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// affected are the entities that may stand otherwise after a write than before: what is
// written, whose grants are written, the holders of roles that come to mean something
// else, and what is below any of those. They are in the order in which they are found.
//
// Who was above something only before the write need not be looked at: it can give
// nothing any more.
func affected(ctx context.Context, proposal *directory.Proposal, concerned map[authz.EntityRef]bool, most int) ([]authz.EntityRef, error) {
	s := search{proposal: proposal, concerned: concerned, most: most, seen: make(map[authz.EntityRef]bool), roles: make(map[authz.EntityRef]bool)}
	for _, change := range proposal.Changes() {
		if err := s.change(ctx, change); err != nil {
			return nil, err
		}
	}
	if err := s.below(ctx); err != nil {
		return nil, err
	}
	return s.found, s.bounded(ctx, len(s.found))
}

// A search finds the entities that a write affects.
type search struct {
	proposal  *directory.Proposal
	concerned map[authz.EntityRef]bool
	most      int // entities
	seen      map[authz.EntityRef]bool
	found     []authz.EntityRef
	roles     map[authz.EntityRef]bool // that were looked at
}

func (s *search) change(ctx context.Context, change directory.Proposed) error {
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
	if change.Entity.Type == authz.RoleType && !slices.Equal(parentsOf(change.EntityBefore), parentsOf(change.EntityAfter)) {
		return s.holders(ctx, change.Entity)
	}
	return nil
}

func parentsOf(e *authz.Entity) []authz.EntityRef {
	if e == nil {
		return nil
	}
	return e.Parents
}

func (s *search) add(ref authz.EntityRef) {
	if !s.seen[ref] {
		s.seen[ref] = true
		s.found = append(s.found, ref)
	}
}

// holders adds those who hold a role, or one that inherits from it.
func (s *search) holders(ctx context.Context, role authz.EntityRef) error {
	queue := []authz.EntityRef{role}
	for len(queue) > 0 {
		role, queue = queue[0], queue[1:]
		if s.roles[role] {
			continue
		}
		s.roles[role] = true
		if err := s.bounded(ctx, len(s.roles)); err != nil {
			return err
		}
		err := errors.Join(
			s.proposal.EachHolder(role, func(subject authz.EntityRef) bool { s.add(subject); return len(s.found) <= s.most }),
			s.proposal.EachChild(role, func(senior authz.EntityRef) bool { queue = append(queue, senior); return len(queue) <= s.most }))
		if err != nil {
			return err
		}
	}
	return nil
}

// below adds what is below those that were found, with the root's everything.
func (s *search) below(ctx context.Context) error {
	for at := 0; at < len(s.found); at++ {
		if err := s.bounded(ctx, len(s.found)); err != nil {
			return err
		}
		if s.found[at].IsRoot() {
			return s.tooMany() // everything stands below the root, and no edge leads there
		}
		if err := s.proposal.EachChild(s.found[at], func(child authz.EntityRef) bool { s.add(child); return len(s.found) <= s.most }); err != nil {
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
