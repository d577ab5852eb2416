package store

import (
	"encoding/binary"
	"iter"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// What is derived from a record is declared here, and nowhere else: its index
// entries and its links. The commit path derives them from a record before and
// after a change; a bulk load derives them from each record; Check compares
// them with what is stored.

// An index yields the entries of one record.
type index[Record any] struct {
	name    string
	space   space
	entries func(tenant string, r Record) iter.Seq[entry]
}

// An entry is a key and its value. A nil value of a change deletes the key.
type entry struct {
	key, value []byte
}

// size is what an entry counts against the limits of a transaction.
func (e entry) size() int { return len(e.key) + len(e.value) + entryOverhead }

// present is the value of an entry that says all with its key.
var present = []byte{}

var entityIndexes = []index[authz.Entity]{
	{"child by parent", spaceChild, func(tenant string, e authz.Entity) iter.Seq[entry] {
		return func(yield func(entry) bool) {
			for _, parent := range e.Parents {
				if !yield(entry{appendRef(refKey(tenant, spaceChild, parent), e.Ref), present}) {
					return
				}
			}
		}
	}},
	{"entity by reference", spaceByReference, func(tenant string, e authz.Entity) iter.Seq[entry] {
		return func(yield func(entry) bool) {
			for r := range references(e.Attributes) {
				if !yield(entry{appendComponent(referenceKey(tenant, r, e.Ref.Type), e.Ref.ID), present}) {
					return
				}
			}
		}
	}},
}

var grantIndexes = []index[authz.Grant]{
	// The entry holds the whole grant: a decision asks for the grants of a
	// subject, and so gets them in one scan.
	{"grant by subject", spaceBySubject, func(tenant string, g authz.Grant) iter.Seq[entry] {
		return one(appendComponent(refKey(tenant, spaceBySubject, g.Subject), g.ID), appendGrant(nil, g))
	}},
	{"grant by role", spaceByRole, func(tenant string, g authz.Grant) iter.Seq[entry] {
		return one(appendComponent(refKey(tenant, spaceByRole, g.Role), g.ID), present)
	}},
	{"grant by scope", spaceByScope, func(tenant string, g authz.Grant) iter.Seq[entry] {
		return one(appendComponent(refKey(tenant, spaceByScope, scopeOf(tenant, g)), g.ID), present)
	}},
	{"grant by expiry", spaceByExpiry, func(tenant string, g authz.Grant) iter.Seq[entry] {
		if g.NotAfter.IsZero() {
			return none
		}
		return one(appendComponent(appendSortableTime(prefix(tenant, spaceByExpiry), g.NotAfter), g.ID), present)
	}},
}

// scopeOf is the scope of a grant, which is the root where it has none.
func scopeOf(tenant string, g authz.Grant) authz.EntityRef {
	if g.Scope.IsZero() {
		return authz.Root(tenant)
	}
	return g.Scope
}

func one(key, value []byte) iter.Seq[entry] {
	return func(yield func(entry) bool) { yield(entry{key, value}) }
}

func none(func(entry) bool) {}

// appendSortableTime appends a time such that keys sort by it.
func appendSortableTime(key []byte, t time.Time) []byte {
	key = binary.BigEndian.AppendUint64(key, uint64(t.Unix())^1<<63)
	return binary.BigEndian.AppendUint32(key, uint32(t.Nanosecond()))
}

// sortableTimeSize is the size of a time in a key.
const sortableTimeSize = 12

// Links count the records that point to an entity. They answer without a scan
// what is usually so: that a user has no children, and no grants of its own.
type Links struct {
	Children  int // entities whose parent it is
	AsSubject int // grants whose subject it is
	AsRole    int // grants whose role it is
	AsScope   int // grants whose scope it is; for the root, those without one
}

// Grants is how many grants name the entity, counted once for each place.
func (l Links) Grants() int { return l.AsSubject + l.AsRole + l.AsScope }

func (l Links) plus(o Links) Links {
	return Links{l.Children + o.Children, l.AsSubject + o.AsSubject, l.AsRole + o.AsRole, l.AsScope + o.AsScope}
}

// times is 1 for a record that comes, -1 for one that goes.
func (l Links) times(sign int) Links {
	return Links{sign * l.Children, sign * l.AsSubject, sign * l.AsRole, sign * l.AsScope}
}

// entityLinks yields what an entity adds to the links of others.
func entityLinks(_ string, e authz.Entity) iter.Seq2[authz.EntityRef, Links] {
	return func(yield func(authz.EntityRef, Links) bool) {
		for _, parent := range e.Parents {
			if !yield(parent, Links{Children: 1}) {
				return
			}
		}
	}
}

// grantLinks yields what a grant adds to the links of others.
func grantLinks(tenant string, g authz.Grant) iter.Seq2[authz.EntityRef, Links] {
	return func(yield func(authz.EntityRef, Links) bool) {
		_ = yield(g.Subject, Links{AsSubject: 1}) &&
			yield(g.Role, Links{AsRole: 1}) &&
			yield(scopeOf(tenant, g), Links{AsScope: 1})
	}
}

// appendLinks appends the value of links; those of nothing have none.
func appendLinks(value []byte, l Links) []byte {
	for _, n := range []int{l.Children, l.AsSubject, l.AsRole, l.AsScope} {
		value = binary.AppendUvarint(value, uint64(n))
	}
	return value
}

func decodeLinks(value []byte) (Links, error) {
	d := decoder{rest: value}
	l := Links{int(d.uvarint()), int(d.uvarint()), int(d.uvarint()), int(d.uvarint())}
	return l, d.err
}
