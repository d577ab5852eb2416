package store

import (
	"cmp"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
)

// What a write proposes, for whoever decides whether it may be made: the records that
// it changes, and the directory with them and without. All that is read here counts
// as what the write rests on, so that none of it changes before the write is made.

// A Proposed is one record before and after a write: of an entity or of a grant.
type Proposed struct {
	Entity                    authz.EntityRef // of an entity
	GrantID                   string          // of a grant
	EntityBefore, EntityAfter *authz.Entity
	GrantBefore, GrantAfter   *authz.Grant
}

// Proposed are the records that the write changes, in the order in which it first
// touched them.
func (tx *Tx) Proposed() []Proposed {
	var changes []Proposed
	for _, touch := range tx.order {
		switch touch.Op {
		case PutEntity:
			if c := tx.entities[touch.Ref]; !sameEntity(c.before, c.after) {
				changes = append(changes, Proposed{Entity: touch.Ref, EntityBefore: c.before, EntityAfter: c.after})
			}
		case PutGrant:
			if c := tx.grants[touch.GrantID]; !sameGrant(c.before, c.after) {
				changes = append(changes, Proposed{GrantID: touch.GrantID, GrantBefore: c.before, GrantAfter: c.after})
			}
		}
	}
	return changes
}

// Revision is the revision that the write rests on.
func (tx *Tx) Revision() uint64 { return tx.view.Revision() }

// EntityBefore reads an entity as it was before the write.
func (tx *Tx) EntityBefore(ref authz.EntityRef) (authz.Entity, bool, error) {
	if change, touched := tx.entities[ref]; touched {
		if change.before == nil {
			return authz.Entity{}, false, nil
		}
		return *change.before, true, nil
	}
	tx.restsOn(entityToken, ref, "")
	record, found, err := tx.view.Entity(ref)
	return record.Entity, found, err
}

// GrantsOfBefore reads the grants whose subject an entity was before the write, in the
// order of their ids. More than most are an error of kind LimitExceeded.
func (tx *Tx) GrantsOfBefore(subject authz.EntityRef, most int) ([]authz.Grant, error) {
	tx.restsOn(grantsToken, subject, "")
	links, err := tx.storedLinks(subject)
	if err != nil || links.AsSubject == 0 {
		return nil, err
	}
	if links.AsSubject > most {
		return nil, tooManyGrants(subject, most)
	}
	return tx.view.GrantsOf(subject, links.AsSubject)
}

// GrantsOf is GrantsOfBefore, after the write.
func (tx *Tx) GrantsOf(subject authz.EntityRef, most int) ([]authz.Grant, error) {
	grants, err := tx.GrantsOfBefore(subject, most)
	if err != nil {
		return nil, err
	}
	grants = slices.DeleteFunc(grants, func(g authz.Grant) bool { _, touched := tx.grants[g.ID]; return touched })
	for id := range tx.naming[subject] {
		if g := tx.grants[id].after; g != nil && g.Subject == subject {
			grants = append(grants, *g)
		}
	}
	if len(grants) > most {
		return nil, tooManyGrants(subject, most)
	}
	slices.SortFunc(grants, func(a, b authz.Grant) int { return cmp.Compare(a.ID, b.ID) })
	return grants, nil
}

func tooManyGrants(subject authz.EntityRef, most int) error {
	return authz.Errorf(authz.LimitExceeded, "%s has more than %d grants of its own: grant roles on wider scopes", authz.Quote(subject.String()), most)
}

// EachHolder visits the subjects of the grants of a role after the write, until visit
// returns false; one may be visited more than once.
func (tx *Tx) EachHolder(role authz.EntityRef, visit func(subject authz.EntityRef) bool) error {
	tx.restsOn(grantsToken, role, "")
	for id := range tx.naming[role] {
		if g := tx.grants[id].after; g != nil && g.Role == role && !visit(g.Subject) {
			return nil
		}
	}
	var failed error
	err := tx.view.EachGrantID(AsRole, role, "", func(id string) bool {
		if _, touched := tx.grants[id]; touched {
			return true
		}
		g, _, err := tx.view.Grant(id)
		failed = err
		return err == nil && visit(g.Subject)
	})
	return cmp.Or(err, failed)
}

// EachChild visits the entities whose parent an entity is after the write, until visit
// returns false.
func (tx *Tx) EachChild(parent authz.EntityRef, visit func(authz.EntityRef) bool) error {
	tx.restsOn(childrenToken, parent, "")
	links, err := tx.storedLinks(parent)
	if err != nil {
		return err
	}
	for _, child := range tx.placed()[parent] {
		if !visit(child) {
			return nil
		}
	}
	if links.Children == 0 {
		return nil
	}
	return tx.view.EachChild(parent, func(child authz.EntityRef) bool {
		_, touched := tx.entities[child]
		return touched || visit(child)
	})
}

// placed are the entities that the write has touched, by their parents after it.
func (tx *Tx) placed() map[authz.EntityRef][]authz.EntityRef {
	if tx.below == nil {
		tx.below = make(map[authz.EntityRef][]authz.EntityRef)
		for _, touch := range tx.order {
			if c := tx.entities[touch.Ref]; touch.Op == PutEntity && c.after != nil {
				for _, parent := range c.after.Parents {
					tx.below[parent] = append(tx.below[parent], touch.Ref)
				}
			}
		}
	}
	return tx.below
}
