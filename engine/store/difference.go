package store

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/verdictpdp/verdict/api/authz"
)

// An EntityDifference says how an entity changed, without the values of its
// attributes: those are personal data, which an erasure must be able to take away
// while the change records of it stay.
type EntityDifference struct {
	// Created is whether the entity was not there before.
	Created bool
	// ParentsAdded and ParentsRemoved are the parents that the entity has got and
	// lost; those of one that was deleted are lost.
	ParentsAdded, ParentsRemoved []authz.EntityRef
	// Attributes are the names of those that came, went or changed; none of an
	// entity that was created or deleted.
	Attributes []string
}

// difference is how an entity changed; nil is none.
func difference(before, after *authz.Entity) *EntityDifference {
	d := &EntityDifference{Created: before == nil}
	var had, has []authz.EntityRef
	if before != nil {
		had = before.Parents
	}
	if after != nil {
		has = after.Parents
	}
	d.ParentsAdded, d.ParentsRemoved = missingFrom(had, has), missingFrom(has, had)
	if before != nil && after != nil && !bytes.Equal(before.Attributes, after.Attributes) {
		d.Attributes = changedMembers(before.Attributes, after.Attributes)
	}
	return d
}

// missingFrom are the refs of one list that are not in another.
func missingFrom(others, refs []authz.EntityRef) []authz.EntityRef {
	if len(others) == 0 {
		return refs
	}
	var missing []authz.EntityRef
	if len(others) > manyParents {
		known := make(map[authz.EntityRef]bool, len(others))
		for _, ref := range others {
			known[ref] = true
		}
		for _, ref := range refs {
			if !known[ref] {
				missing = append(missing, ref)
			}
		}
		return missing
	}
	for _, ref := range refs {
		if !slices.Contains(others, ref) {
			missing = append(missing, ref)
		}
	}
	return missing
}

// manyParents are so many that comparing all with all costs more than a map.
const manyParents = 32

// changedMembers are the names of the members in which two objects differ, sorted.
// Both are in canonical form, so that equal values are equal texts.
func changedMembers(before, after []byte) []string {
	had, has := membersOf(before), membersOf(after)
	var names []string
	for name, value := range has {
		if was, there := had[name]; !there || was != value {
			names = append(names, name)
		}
	}
	for name := range had {
		if _, there := has[name]; !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// membersOf are the members of an object, with their values as texts.
func membersOf(object []byte) map[string]string {
	members := make(map[string]string)
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := d.ReadToken(); err != nil {
		return members // the empty object is stored as nothing
	}
	for d.PeekKind() == jsontext.KindString {
		name, err := d.ReadToken()
		if err != nil {
			return members
		}
		key := name.String()
		value, err := d.ReadValue()
		if err != nil {
			return members
		}
		members[key] = string(value)
	}
	return members
}
