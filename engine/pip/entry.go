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
	// What most decisions look at is at the beginning, in one line of the
	// processor's cache or two.
	revision   uint64
	known      bool
	passing    bool          // it stays out of the cache: see doorkeeper
	grown      atomic.Bool   // it has come to hold more since it was counted last
	counted    atomic.Uint32 // the weight that the cache knows of
	attributes atomic.Pointer[attributes]
	ref        *ast.Term // type:id
	derived    atomic.Pointer[derived]
	up         atomic.Pointer[upLink] // see upward
	key        key

	identity    atomic.Pointer[identity]
	grants      atomic.Pointer[ownGrants] // see grantsOf
	parentTerms atomic.Pointer[ast.Term]  // the member parents
	parents     []authz.EntityRef
	text        string       // of the attributes, as JSON
	bytes       atomic.Int64 // estimate of the memory held, without grants and derived
}

// An identity is an entity's members type and id.
type identity struct{ typ, id *ast.Term }

// Estimated bytes of what an entry holds.
const (
	entryBytes    = 430 // the entry itself, its ref's term and its place in the cache
	refBytes      = 48  // a parent
	identityBytes = 16 + termBytes
)

// newEntry makes an entry of what a snapshot at a revision says of k.
func newEntry(k key, revision uint64, entity authz.Entity, known bool) *entry {
	text := k.ref().String()
	// The caller's strings may be parts of something large.
	k.typ, k.id = text[:len(k.typ)], text[len(k.typ)+1:]
	e := &entry{
		key: k, revision: revision, known: known,
		ref: ast.StringTerm(text), parents: entity.Parents, text: string(entity.Attributes),
	}
	size := entryBytes + len(text) + len(e.text)
	for _, parent := range entity.Parents {
		size += refBytes + len(parent.Type) + len(parent.ID)
	}
	e.add(size)
	return e
}

// add counts what the entry has come to hold.
func (e *entry) add(bytes int) {
	e.bytes.Add(int64(bytes))
	e.grown.Store(true)
}

// weight is the entry's size for the cache's bound.
func (e *entry) weight() uint32 {
	bytes := e.bytes.Load()
	if own := e.grants.Load(); own != nil {
		bytes += own.bytes.Load()
	}
	if d := e.derived.Load(); d != nil {
		bytes += d.bytes.Load()
	}
	return uint32(min(bytes, math.MaxUint32-headroom))
}

// headroom is how many bytes an entry is counted for beyond what it holds, so
// that it need not be counted anew for every small thing that is remembered in
// it: see BenchmarkCold.
const headroom = 128

// settled reports whether the entry's count is still good.
func (e *entry) settled() bool {
	weight, counted := e.weight(), e.counted.Load()
	return weight <= counted && counted <= weight+2*headroom
}

// count notes the entry's weight.
func (e *entry) count() { e.counted.Store(e.weight() + headroom) }

// identityOf makes an entry's type and id once.
func (c *Cache) identityOf(e *entry) *identity {
	if known := e.identity.Load(); known != nil {
		return known
	}
	made := &identity{typ: c.decoders.names.term(e.key.typ), id: ast.StringTerm(e.key.id)}
	if e.identity.CompareAndSwap(nil, made) {
		e.add(identityBytes)
	}
	return e.identity.Load()
}

// parentsTerm makes parents once, in the order given.
func (e *entry) parentsTerm() *ast.Term {
	if known := e.parentTerms.Load(); known != nil {
		return known
	}
	terms := make([]*ast.Term, len(e.parents))
	size := arrayBytes(len(terms))
	for i, parent := range e.parents {
		text := parent.String()
		terms[i] = ast.StringTerm(text)
		size += termBytes + len(text)
	}
	if e.parentTerms.CompareAndSwap(nil, ast.ArrayTerm(terms...)) {
		e.add(size)
	}
	return e.parentTerms.Load()
}
