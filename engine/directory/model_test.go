package directory_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
)

// A model is what a directory should be: plain maps, one for each revision.
type model struct {
	tenant string
	// history is the state at each revision that changed it; the state at
	// others is that of the last before.
	history []state
	// recorded is who changed what, in the order of revisions, and policy what became
	// of the policy last.
	recorded []modelChange
	policy   authz.PolicyChange
}

// A modelChange is one change of the record.
type modelChange struct {
	revision uint64
	author   authz.Author
	what     string
}

type state struct {
	revision uint64
	entities map[authz.EntityRef]modelEntity
	grants   map[string]authz.Grant
}

type modelEntity struct {
	attributes string
	parents    []authz.EntityRef
	revision   uint64
}

func newModel(tenant string) *model {
	return &model{tenant: tenant, history: []state{{
		entities: map[authz.EntityRef]modelEntity{}, grants: map[string]authz.Grant{},
	}}}
}

func (m *model) latest() state { return m.history[len(m.history)-1] }

// at is the state at a revision.
func (m *model) at(revision uint64) state {
	i, found := slices.BinarySearchFunc(m.history, revision, func(s state, r uint64) int { return cmp.Compare(s.revision, r) })
	if !found {
		i--
	}
	return m.history[i]
}

// after is what a batch makes of the latest state, or false when it has to be
// refused.
func (m *model) after(batch authz.Batch, revision uint64) (next state, changed, accepted bool) {
	before := m.latest()
	for _, p := range batch.Preconditions {
		if before.entities[p.Ref].revision != p.Revision {
			return state{}, false, false
		}
	}
	next = state{revision: revision, entities: maps.Clone(before.entities), grants: maps.Clone(before.grants)}
	for _, c := range batch.Changes {
		switch {
		case c.PutEntity != nil:
			e := modelEntity{string(c.PutEntity.Attributes), c.PutEntity.Parents, 0}
			next.entities[c.PutEntity.Ref] = e
		case c.PutGrant != nil:
			next.grants[c.PutGrant.ID] = *c.PutGrant
		case c.DeleteGrant != nil:
			delete(next.grants, *c.DeleteGrant)
		case c.DeleteEntity != nil:
			ref := *c.DeleteEntity
			delete(next.entities, ref)
			maps.DeleteFunc(next.grants, func(_ string, g authz.Grant) bool {
				return g.Subject == ref || g.Role == ref || g.Scope == ref
			})
		}
	}
	for ref, e := range next.entities {
		if was, there := before.entities[ref]; there && was.attributes == e.attributes && slices.Equal(was.parents, e.parents) {
			next.entities[ref] = was
			continue
		}
		e.revision = revision
		next.entities[ref] = e
		changed = true
	}
	changed = changed || len(next.entities) != len(before.entities) || !maps.Equal(next.grants, before.grants)
	return next, changed, !next.cyclic()
}

// changesTo says what a write that made another state of this one has changed.
func (s state) changesTo(next state) (changes []string) {
	for _, ref := range refs {
		was, there := s.entities[ref]
		is, stays := next.entities[ref]
		switch {
		case there && !stays:
			changes = append(changes, fmt.Sprintf("deleted %q", ref))
		case stays && (!there || was.attributes != is.attributes || !slices.Equal(was.parents, is.parents)):
			changes = append(changes, fmt.Sprintf("put %q", ref))
		}
	}
	for _, id := range grantIDs {
		was, there := s.grants[id]
		is, stays := next.grants[id]
		switch {
		case there && !stays:
			changes = append(changes, fmt.Sprintf("took %q: %v", id, was))
		case stays && was != is:
			changes = append(changes, fmt.Sprintf("gave %q: %v, before %v", id, is, was))
		}
	}
	return changes
}

// recordPolicy is what is recorded of a policy, and false where that was recorded last.
func (m *model) recordPolicy(revision uint64, by authz.Author, change authz.PolicyChange) bool {
	same := m.policy
	same.Before = ""
	if same == change {
		return false
	}
	change.Before = m.policy.Active()
	m.policy = change
	m.recorded = append(m.recorded, modelChange{revision, by, fmt.Sprintf("policy %+v", change)})
	return true
}

// cyclic reports whether any entity is above itself.
func (s state) cyclic() bool {
	for from := range s.entities {
		met := map[authz.EntityRef]bool{}
		queue := []authz.EntityRef{from}
		for len(queue) > 0 {
			at := queue[0]
			queue = queue[1:]
			for _, parent := range s.entities[at].parents {
				if parent == from {
					return true
				}
				if !met[parent] {
					met[parent] = true
					queue = append(queue, parent)
				}
			}
		}
	}
	return false
}

// grantsWith are the grants that match, in the order of ids.
func (s state) grantsWith(match func(authz.Grant) bool) []authz.Grant {
	var grants []authz.Grant
	for _, id := range slices.Sorted(maps.Keys(s.grants)) {
		if match(s.grants[id]) {
			grants = append(grants, s.grants[id])
		}
	}
	return grants
}

// ids are the ids of a type's entities, in order.
func (s state) ids(typ string) []string {
	var ids []string
	for ref := range s.entities {
		if ref.Type == typ {
			ids = append(ids, ref.ID)
		}
	}
	slices.Sort(ids)
	return ids
}
