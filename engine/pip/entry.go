package pip

import (
	"math"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// An entry is one entity, known or not, as it was at a revision, and remains
// until the entity changes. Its other members are filled when first needed, by
// any reader pinned where the entry holds.
type entry struct {
	key      key
	revision uint64
	known    bool
	ref      *ast.Term // type:id
	parents  []authz.EntityRef
	passing  bool // it stays out of the cache: see doorkeeper

	bytes      atomic.Int64 // estimate of the memory held, without derived
	attributes atomic.Pointer[attributes]
	grants     atomic.Pointer[[]grant] // the entity's own, by id
	derived    atomic.Pointer[derived]
	counted    atomic.Uint32 // the weight that the cache knows of
}

// attributes are an entity's attributes, raw until they are first asked for.
type attributes struct {
	raw  []byte
	term *ast.Term // an object; nil while raw
}

// Estimated bytes of what an entry holds.
const (
	entryBytes = 520 // the entry itself, its ref's term and its place in the cache
	refBytes   = 48  // a parent
)

// newEntry makes an entry of what a snapshot at a revision says of k.
func newEntry(k key, revision uint64, entity authz.Entity, known bool) *entry {
	text := k.ref().String()
	// The caller's strings may be parts of something large.
	k.typ, k.id = text[:len(k.typ)], text[len(k.typ)+1:]
	e := &entry{key: k, revision: revision, known: known, ref: ast.StringTerm(text), parents: entity.Parents}
	e.attributes.Store(&attributes{raw: entity.Attributes})
	size := entryBytes + len(text) + len(entity.Attributes)
	for _, parent := range entity.Parents {
		size += refBytes + len(parent.Type) + len(parent.ID)
	}
	e.bytes.Store(int64(size))
	return e
}

// weight is the entry's size for the cache's bound.
func (e *entry) weight() uint32 {
	bytes := e.bytes.Load()
	if d := e.derived.Load(); d != nil {
		bytes += d.bytes.Load()
	}
	return uint32(min(bytes, math.MaxUint32))
}

// attributesOf decodes an entry's attributes once.
func (c *Cache) attributesOf(e *entry) (*ast.Term, error) {
	a := e.attributes.Load()
	if a.term != nil {
		return a.term, nil
	}
	term, size, err := c.decoders.decode(a.raw)
	if err != nil {
		return nil, authz.Errorf(authz.KindOf(err), "attributes of %s: %w", e.key, err)
	}
	if e.attributes.CompareAndSwap(a, &attributes{term: term}) {
		e.bytes.Add(int64(size - len(a.raw)))
	}
	return term, nil
}
