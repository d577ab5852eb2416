package store

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Record is an entity as it is stored.
type Record struct {
	authz.Entity
	// Revision is the one in which the entity was last written.
	Revision uint64
}

// A View reads one tenant at one revision. It keeps that revision from being
// discarded until it is closed. It is safe for use by many goroutines.
type View struct {
	store   *Store
	tenant  string
	version *version
	// opened is Badger's transaction: nil before the first read, for most
	// decisions find what they read in a cache, and ended after the last.
	opened atomic.Pointer[badger.Txn]
}

// Latest is a view of a tenant at the latest revision.
func (s *Store) Latest(tenant string) (*View, error) {
	return s.view(tenant, s.pinLatest())
}

// At is a view of a tenant at a revision; one that is not kept, or that has
// not come, is an error of kind FailedPrecondition that names those that are.
func (s *Store) At(tenant string, revision uint64) (*View, error) {
	v, err := s.pinAt(revision)
	if err != nil {
		return nil, err
	}
	return s.view(tenant, v)
}

// view makes a view of a version that is pinned.
func (s *Store) view(tenant string, v *version) (*View, error) {
	select {
	case <-s.closing:
		v.pins.Add(-1)
		return nil, errClosed
	default:
	}
	return &View{store: s, tenant: tenant, version: v}, nil
}

// txn is what the view is read through.
func (v *View) txn() source {
	if txn := v.opened.Load(); txn != nil {
		return source{txn, v.store}
	}
	txn := v.store.db.NewTransactionAt(v.version.revision, false)
	if v.opened.CompareAndSwap(nil, txn) {
		return source{txn, v.store}
	}
	txn.Discard()
	return source{v.opened.Load(), v.store}
}

// Close ends the view. Nothing may be read through it any more.
func (v *View) Close() {
	if v.end() {
		v.version.pins.Add(-1)
	}
}

// end ends the reading, and reports false where it has ended before.
func (v *View) end() bool {
	txn := v.opened.Swap(v.store.ended)
	if txn != nil {
		txn.Discard()
	}
	return txn != v.store.ended
}

// Tenant is the tenant that is read.
func (v *View) Tenant() string { return v.tenant }

// Revision is the revision that is read.
func (v *View) Revision() uint64 { return v.version.revision }

// Epoch is the revision of the tenant's last change above a leaf, at or before
// the view's; 0 when it is not known, as at most past revisions.
func (v *View) Epoch() uint64 { return v.version.epoch(v.tenant) }

// Entity reads an entity, and reports whether there is one.
func (v *View) Entity(ref authz.EntityRef) (Record, bool, error) {
	var record Record
	revision, err := readValue(v.txn(), refKey(v.tenant, spaceEntity, ref), func(value []byte) (err error) {
		record.Entity, err = decodeEntity(ref, value)
		return err
	})
	record.Revision = revision
	return record, err == nil && revision > 0, err
}

// Grant reads a grant, and reports whether there is one.
func (v *View) Grant(id string) (authz.Grant, bool, error) {
	var grant authz.Grant
	revision, err := readValue(v.txn(), grantKey(v.tenant, id), func(value []byte) (err error) {
		grant, err = decodeGrant(id, value)
		return err
	})
	return grant, err == nil && revision > 0, err
}

// Links reads how many records point to an entity, which need not exist.
func (v *View) Links(ref authz.EntityRef) (Links, error) {
	return readLinks(v.txn(), refKey(v.tenant, spaceLinks, ref))
}

// GrantsOf reads the grants whose subject is the entity, in the order of their
// ids. How many there are is in its Links: where there are none, they say so
// for far less than a scan. Another number is an error.
func (v *View) GrantsOf(subject authz.EntityRef, count int) ([]authz.Grant, error) {
	grants := make([]authz.Grant, 0, count)
	space := refKey(v.tenant, spaceBySubject, subject)
	err := scan(v.txn(), space, nil, true, func(key, value []byte) (bool, error) {
		id, err := wholeComponent(key)
		if err != nil {
			return false, err
		}
		grant, err := decodeGrant(id, value)
		grants = append(grants, grant)
		return true, err
	})
	if err == nil && len(grants) != count {
		err = v.txn().damaged(space, fmt.Errorf("%d grants are found: expected %d", len(grants), count))
	}
	return grants, err
}

// EachEntity visits the entities of a type whose ids come after afterID, in
// the order of ids, until visit returns false.
func (v *View) EachEntity(typ, afterID string, visit func(Record) bool) error {
	space := appendComponent(prefix(v.tenant, spaceEntity), typ)
	return scanItems(v.txn(), space, afterComponent(space, afterID), func(key []byte, item *badger.Item) (bool, error) {
		id, err := wholeComponent(key)
		if err != nil {
			return false, err
		}
		record := Record{Revision: item.Version()}
		err = v.txn().valueOf(item, func(value []byte) error {
			record.Entity, err = decodeEntity(authz.EntityRef{Type: typ, ID: id}, value)
			return err
		})
		return err == nil && visit(record), err
	})
}

// EachEntityID is EachEntity for those who need only the ids.
func (v *View) EachEntityID(typ, afterID string, visit func(id string) bool) error {
	space := appendComponent(prefix(v.tenant, spaceEntity), typ)
	return scan(v.txn(), space, afterComponent(space, afterID), false, func(key, _ []byte) (bool, error) {
		id, err := wholeComponent(key)
		return err == nil && visit(id), err
	})
}

// EachType visits the types that have entities, in order, until visit returns
// false. It costs one seek a type.
func (v *View) EachType(visit func(typ string) bool) error {
	space := prefix(v.tenant, spaceEntity)
	for from := space; from != nil; {
		start := from
		from = nil
		err := scan(v.txn(), space, start, false, func(key, _ []byte) (bool, error) {
			typ, _, err := cutComponent(key)
			if err == nil && visit(typ) {
				from = after(appendComponent(prefix(v.tenant, spaceEntity), typ))
			}
			return false, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// EachGrant visits the grants whose ids come after afterID, in the order of
// ids, until visit returns false.
func (v *View) EachGrant(afterID string, visit func(authz.Grant) bool) error {
	space := prefix(v.tenant, spaceGrant)
	return scan(v.txn(), space, afterComponent(space, afterID), true, func(key, value []byte) (bool, error) {
		id, err := wholeComponent(key)
		if err != nil {
			return false, err
		}
		grant, err := decodeGrant(id, value)
		return err == nil && visit(grant), err
	})
}

// A Place is where a grant names an entity.
type Place byte

// The places of a grant.
const (
	AsSubject = Place(spaceBySubject)
	AsRole    = Place(spaceByRole)
	AsScope   = Place(spaceByScope) // the root for a grant without a scope
)

// EachGrantID visits the ids of the grants that name an entity in a place and
// come after afterID, in order, until visit returns false.
func (v *View) EachGrantID(place Place, ref authz.EntityRef, afterID string, visit func(id string) bool) error {
	space := refKey(v.tenant, space(place), ref)
	return scan(v.txn(), space, afterComponent(space, afterID), false, func(key, _ []byte) (bool, error) {
		id, err := wholeComponent(key)
		return err == nil && visit(id), err
	})
}

// EachExpiring visits the ids of the grants whose window ends in
// [from, until), by that end and then by id, until visit returns false.
func (v *View) EachExpiring(from, until time.Time, visit func(id string) bool) error {
	space := prefix(v.tenant, spaceByExpiry)
	end := appendSortableTime(nil, until)
	start := appendSortableTime(prefix(v.tenant, spaceByExpiry), from)
	return scan(v.txn(), space, start, false, func(key, _ []byte) (bool, error) {
		if len(key) < sortableTimeSize {
			return false, errShort
		}
		if string(key[:sortableTimeSize]) >= string(end) {
			return false, nil
		}
		id, err := wholeComponent(key[sortableTimeSize:])
		return err == nil && visit(id), err
	})
}

// EachChild visits the entities whose parent an entity is, in order, until
// visit returns false.
func (v *View) EachChild(parent authz.EntityRef, visit func(authz.EntityRef) bool) error {
	return scan(v.txn(), refKey(v.tenant, spaceChild, parent), nil, false, func(key, _ []byte) (bool, error) {
		child, err := wholeRef(key)
		return err == nil && visit(child), err
	})
}

// EachReferring visits the ids of a type's entities that name an entity in an
// attribute, and of those that name more there than are indexed; each sort in
// order, until visit returns false. See IndexesReference.
func (v *View) EachReferring(typ, attribute string, to authz.EntityRef, visit func(id string) bool) error {
	more := true
	for _, named := range []authz.EntityRef{to, {}} {
		err := scan(v.txn(), referenceKey(v.tenant, reference{attribute, named}, typ), nil, false, func(key, _ []byte) (bool, error) {
			id, err := wholeComponent(key)
			more = err == nil && visit(id)
			return more, err
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// EachChange visits the tenant's change records after a revision, oldest
// first, until visit returns false.
func (v *View) EachChange(afterRevision uint64, visit func(ChangeRecord) bool) error {
	space := prefix(v.tenant, spaceChange)
	var revision uint64
	var whole []byte
	more := true
	finish := func() error {
		if revision == 0 || !more {
			return nil
		}
		record, err := decodeChangeRecord(revision, whole)
		if err != nil {
			return v.txn().damaged(changeKey(v.tenant, revision, 0), err)
		}
		more = visit(record)
		return nil
	}
	err := scan(v.txn(), space, changeKey(v.tenant, afterRevision+1, 0), true, func(key, value []byte) (bool, error) {
		if len(key) != 12 {
			return false, errShort
		}
		if at := binary.BigEndian.Uint64(key); at != revision {
			if err := finish(); err != nil {
				return false, err
			}
			revision, whole = at, whole[:0]
		}
		whole = append(whole, value...)
		return more, nil
	})
	if err != nil {
		return err
	}
	return finish()
}

// afterComponent is where a scan of a space begins that leaves out what comes
// up to a component; empty leaves out nothing.
func afterComponent(space []byte, component string) []byte {
	if component == "" {
		return nil
	}
	return after(appendComponent(space[:len(space):len(space)], component))
}

// EachParent visits the entities that are the parent of any, in order, until
// visit returns false. They need not exist.
func (v *View) EachParent(visit func(authz.EntityRef) bool) error {
	return v.EachLinked(func(ref authz.EntityRef, links Links) bool {
		return links.Children == 0 || visit(ref)
	})
}

// EachLinked visits the entities that records point to, in order, until visit
// returns false.
func (v *View) EachLinked(visit func(authz.EntityRef, Links) bool) error {
	return scan(v.txn(), prefix(v.tenant, spaceLinks), nil, true, func(key, value []byte) (bool, error) {
		ref, err := wholeRef(key)
		if err != nil {
			return false, err
		}
		links, err := decodeLinks(value)
		return err == nil && visit(ref, links), err
	})
}
