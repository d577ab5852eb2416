package store

import (
	"bytes"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Tx is one write of a tenant: it reads the revision published last with the
// write's own changes over it. It belongs to the function that Update runs.
type Tx struct {
	view     *View
	entities map[authz.EntityRef]*entityChange
	grants   map[string]*grantChange
	order    []Touch // the records changed, as they first were; their Op is open
	// children is by how many the write has changed the number of children.
	children map[authz.EntityRef]int
	// naming are the grants that the write has touched and that name an entity
	// now.
	naming map[authz.EntityRef]map[string]struct{}
	links  map[authz.EntityRef]Links             // as read
	below  map[authz.EntityRef][]authz.EntityRef // see placed; nil before it is asked for
	tokens tokens
	reads  []token // what the write rests on
	author *authz.Author
	// policies are what became of the tenant's policy, in order, and by whom.
	policies []Touch
}

// An entityChange is an entity before and after a write; nil where there is
// none.
type entityChange struct {
	before, after *authz.Entity
	revision      uint64 // of before
}

type grantChange struct {
	before, after *authz.Grant
}

func newTx(view *View) *Tx {
	return &Tx{
		view:     view,
		entities: make(map[authz.EntityRef]*entityChange),
		grants:   make(map[string]*grantChange),
		children: make(map[authz.EntityRef]int),
		naming:   make(map[authz.EntityRef]map[string]struct{}),
		links:    make(map[authz.EntityRef]Links),
		tokens:   tokens{view.store.seed, view.tenant},
	}
}

// Tenant is the tenant that is written.
func (tx *Tx) Tenant() string { return tx.view.tenant }

// By says who makes the write.
func (tx *Tx) By(author authz.Author) { tx.author = &author }

// RecordPolicy records what became of the tenant's policy, by whomever: whoever makes
// the write need have no part in it.
func (tx *Tx) RecordPolicy(by authz.Author, change authz.PolicyChange) {
	tx.policies = append(tx.policies, Touch{Op: SetPolicy, Author: &by, Policy: &change})
}

// Changed reports whether the write changes any entity or grant.
func (tx *Tx) Changed() bool {
	for _, touch := range tx.order {
		switch touch.Op {
		case PutEntity:
			if c := tx.entities[touch.Ref]; !sameEntity(c.before, c.after) {
				return true
			}
		case PutGrant:
			if c := tx.grants[touch.GrantID]; !sameGrant(c.before, c.after) {
				return true
			}
		}
	}
	return false
}

// Policy is what became of the tenant's policy last, as far as it was recorded:
// zero where it never was.
func (tx *Tx) Policy() (change authz.PolicyChange, err error) {
	if n := len(tx.policies); n > 0 {
		return *tx.policies[n-1].Policy, nil
	}
	tx.restsOn(policyToken, authz.EntityRef{}, "")
	_, err = readValue(tx.view.txn(), prefix(tx.Tenant(), spacePolicy), func(value []byte) error {
		d := decoder{rest: value}
		change = *d.policy()
		return d.err
	})
	return change, err
}

func (tx *Tx) restsOn(kind tokenKind, ref authz.EntityRef, id string) {
	tx.reads = append(tx.reads, tx.tokens.of(kind, ref, id))
}

// Entity reads an entity, and reports whether there is one. The revision of
// one that the write has changed is that of before.
func (tx *Tx) Entity(ref authz.EntityRef) (Record, bool, error) {
	if change, touched := tx.entities[ref]; touched {
		if change.after == nil {
			return Record{}, false, nil
		}
		return Record{Entity: *change.after, Revision: change.revision}, true, nil
	}
	tx.restsOn(entityToken, ref, "")
	return tx.view.Entity(ref)
}

// Grant reads a grant, and reports whether there is one.
func (tx *Tx) Grant(id string) (authz.Grant, bool, error) {
	if change, touched := tx.grants[id]; touched {
		if change.after == nil {
			return authz.Grant{}, false, nil
		}
		return *change.after, true, nil
	}
	tx.restsOn(grantToken, authz.EntityRef{}, id)
	return tx.view.Grant(id)
}

// HasChildren reports whether an entity, which need not exist, is a parent.
func (tx *Tx) HasChildren(ref authz.EntityRef) (bool, error) {
	tx.restsOn(childrenToken, ref, "")
	links, err := tx.storedLinks(ref)
	return links.Children+tx.children[ref] > 0, err
}

// hadChildren reports whether an entity was a parent before the write.
func (tx *Tx) hadChildren(ref authz.EntityRef) (bool, error) {
	tx.restsOn(childrenToken, ref, "")
	links, err := tx.storedLinks(ref)
	return links.Children > 0, err
}

// storedLinks are the links of an entity before the write.
func (tx *Tx) storedLinks(ref authz.EntityRef) (Links, error) {
	if links, read := tx.links[ref]; read {
		return links, nil
	}
	links, err := tx.view.Links(ref)
	if err == nil {
		tx.links[ref] = links
	}
	return links, err
}

// GrantsNaming are the ids of the grants that name an entity in any place, in
// order. More than most are an error of kind LimitExceeded.
func (tx *Tx) GrantsNaming(ref authz.EntityRef, most int) ([]string, error) {
	tx.restsOn(grantsToken, ref, "")
	links, err := tx.storedLinks(ref)
	if err != nil {
		return nil, err
	}
	found := make(map[string]struct{})
	for id := range tx.naming[ref] {
		found[id] = struct{}{}
	}
	if links.Grants() > 0 {
		for _, place := range []Place{AsSubject, AsRole, AsScope} {
			err := tx.view.EachGrantID(place, ref, "", func(id string) bool {
				if _, touched := tx.grants[id]; !touched {
					found[id] = struct{}{}
				}
				return len(found) <= most
			})
			if err != nil {
				return nil, err
			}
		}
	}
	if len(found) > most {
		return nil, authz.Errorf(authz.LimitExceeded, "%s is named by more than %d grants: delete those first, in several batches", authz.Quote(ref.String()), most)
	}
	ids := make([]string, 0, len(found))
	for id := range found {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// PutEntity stores an entity, and reports whether that changes anything.
func (tx *Tx) PutEntity(e authz.Entity) (changed bool, err error) { return tx.setEntity(e.Ref, &e) }

// DeleteEntity deletes an entity, and reports whether there was one.
func (tx *Tx) DeleteEntity(ref authz.EntityRef) (changed bool, err error) {
	return tx.setEntity(ref, nil)
}

func (tx *Tx) setEntity(ref authz.EntityRef, to *authz.Entity) (changed bool, err error) {
	change, touched := tx.entities[ref]
	if !touched {
		stored, found, err := tx.Entity(ref)
		if err != nil {
			return false, err
		}
		change = &entityChange{revision: stored.Revision}
		if found {
			change.before, change.after = &stored.Entity, &stored.Entity
		}
		tx.entities[ref] = change
		tx.order = append(tx.order, Touch{Op: PutEntity, Ref: ref})
	}
	if sameEntity(change.after, to) {
		return false, nil
	}
	tx.below = nil
	if change.after != nil {
		for _, parent := range change.after.Parents {
			tx.children[parent]--
		}
	}
	if change.after = to; to != nil {
		for _, parent := range to.Parents {
			tx.children[parent]++
		}
	}
	return true, nil
}

// PutGrant stores a grant, and reports whether that changes anything.
func (tx *Tx) PutGrant(g authz.Grant) (changed bool, err error) { return tx.setGrant(g.ID, &g) }

// DeleteGrant deletes a grant, and reports whether there was one.
func (tx *Tx) DeleteGrant(id string) (changed bool, err error) { return tx.setGrant(id, nil) }

func (tx *Tx) setGrant(id string, to *authz.Grant) (changed bool, err error) {
	change, touched := tx.grants[id]
	if !touched {
		stored, found, err := tx.Grant(id)
		if err != nil {
			return false, err
		}
		change = &grantChange{}
		if found {
			change.before, change.after = &stored, &stored
			tx.addNaming(stored)
		}
		tx.grants[id] = change
		tx.order = append(tx.order, Touch{Op: PutGrant, GrantID: id})
	}
	if sameGrant(change.after, to) {
		return false, nil
	}
	if change.after != nil {
		for ref := range grantLinks(tx.Tenant(), *change.after) {
			delete(tx.naming[ref], id)
		}
	}
	if change.after = to; to != nil {
		tx.addNaming(*to)
	}
	return true, nil
}

// addNaming notes which entities a grant of the write names now, changed by it
// or not.
func (tx *Tx) addNaming(g authz.Grant) {
	for ref := range grantLinks(tx.Tenant(), g) {
		if tx.naming[ref] == nil {
			tx.naming[ref] = make(map[string]struct{})
		}
		tx.naming[ref][g.ID] = struct{}{}
	}
}

// Reparented are the entities that the write has given a parent that they had
// not, in the order in which they were first changed.
func (tx *Tx) Reparented() []authz.EntityRef {
	var refs []authz.EntityRef
	for _, touch := range tx.order {
		change := tx.entities[touch.Ref]
		if touch.Op != PutEntity || change.after == nil {
			continue
		}
		isNew := func(parent authz.EntityRef) bool {
			return change.before == nil || !slices.Contains(change.before.Parents, parent)
		}
		if slices.ContainsFunc(change.after.Parents, isNew) {
			refs = append(refs, touch.Ref)
		}
	}
	return refs
}

// sameEntity reports whether a change of an entity changes nothing.
func sameEntity(a, b *authz.Entity) bool {
	if a == nil || b == nil {
		return a == b
	}
	return bytes.Equal(a.Attributes, b.Attributes) && slices.Equal(a.Parents, b.Parents)
}

func sameGrant(a, b *authz.Grant) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Subject == b.Subject && a.Role == b.Role && a.Scope == b.Scope && a.Reason == b.Reason &&
		a.NotBefore.Equal(b.NotBefore) && a.NotAfter.Equal(b.NotAfter)
}
