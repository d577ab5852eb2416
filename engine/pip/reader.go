package pip

import (
	"context"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// A Reader is the directory as one decision reads it: one tenant, one
// revision, and a limit. It implements eval.Directory.
type Reader struct {
	cache    *Cache
	snapshot Snapshot
	tenant   string
	revision uint64
	epoch    uint64
	limit    int

	// What the policy has read, known or not: the first in an array, for most
	// decisions read no more, the others in a map.
	count int
	first [firstEntities]entity
	more  map[authz.EntityRef]*entity
	long  []*entry // those read that have arrays worth an index

	hits, misses int64 // of the cache, since the last release
}

const firstEntities = 8

// Reader reads a snapshot through the cache. It lets a policy read at most
// maxEntities different entities; one that it asks for and that is unknown
// counts, and one that merely stands above another does not: how many do is
// bounded by hierarchy.MaxAncestors.
func (c *Cache) Reader(snapshot Snapshot, maxEntities int) *Reader {
	r, used := c.readers.Get().(*Reader)
	if !used {
		r = &Reader{cache: c}
	}
	r.snapshot, r.limit = snapshot, maxEntities
	r.tenant, r.revision, r.epoch = snapshot.Tenant(), snapshot.Revision(), snapshot.Epoch()
	return r
}

// Release lets another decision have the reader. Neither it nor an entity that
// it has returned may be used any more; the values that those have returned may.
// A reader need not be released.
func (r *Reader) Release() {
	clear(r.first[:min(r.count, firstEntities)])
	r.count, r.more, r.long = 0, nil, nil
	r.cache.count(r)
	r.cache.readers.Put(r)
}

// Entity is the entity data.directory[typ][id], or nil when the directory does
// not know it, which is so for everything that it could not hold. Errors are
// of kind LimitExceeded beyond the limit, or those of the snapshot and the
// context.
func (r *Reader) Entity(ctx context.Context, typ, id string) (eval.Entity, error) {
	ref := authz.EntityRef{Type: typ, ID: id}
	e := r.find(ref)
	if e == nil {
		if ref.IsRoot() {
			return nil, nil // the cache holds it, for its grants
		}
		at := r.cache.lookup(key{r.tenant, typ, id}, r.revision)
		if at == nil && ref.ValidateStored() != nil {
			return nil, nil
		}
		if r.count >= r.limit {
			return nil, authz.Exceeded(authz.EntitiesLimit, "the policy reads more than %d entities for one decision: let it read by id instead of iterating, or raise the limit", r.limit)
		}
		if at != nil {
			r.hits++
		} else {
			var err error
			if at, err = r.load(ctx, ref); err != nil {
				return nil, err
			}
			at.passing = !r.cache.admits(at.key)
			if !at.known {
				r.keep(at)
			}
		}
		e = r.remember(at)
	}
	if !e.entry.known {
		return nil, nil
	}
	return e, nil
}

// EachEntity visits the entities of a type in the order of their ids.
func (r *Reader) EachEntity(ctx context.Context, typ string, visit func(eval.Entity) bool) error {
	var failure error
	err := r.snapshot.EachID(typ, "", func(id string) bool {
		var e eval.Entity
		if e, failure = r.Entity(ctx, typ, id); failure != nil {
			return false
		}
		return e == nil || visit(e)
	})
	if failure != nil {
		return failure
	}
	return err
}

// EachType visits the types that have entities, in order.
func (r *Reader) EachType(ctx context.Context, visit func(typ string) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.snapshot.EachType(visit)
}

// find is what was read of ref before, or nil.
func (r *Reader) find(ref authz.EntityRef) *entity {
	for i := range min(r.count, firstEntities) {
		if k := &r.first[i].entry.key; k.id == ref.ID && k.typ == ref.Type {
			return &r.first[i]
		}
	}
	return r.more[ref]
}

// remember notes an entity that the policy has read.
func (r *Reader) remember(at *entry) *entity {
	var e *entity
	if r.count < firstEntities {
		e = &r.first[r.count]
	} else {
		e = new(entity)
		if r.more == nil {
			r.more = make(map[authz.EntityRef]*entity)
		}
		r.more[at.key.ref()] = e
	}
	*e = entity{reader: r, entry: at}
	r.count++
	return e
}

// entry is the entry of a ref at the reader's revision, from the cache or else
// from the snapshot.
func (r *Reader) entry(ctx context.Context, ref authz.EntityRef) (*entry, error) {
	if e := r.cache.lookup(key{r.tenant, ref.Type, ref.ID}, r.revision); e != nil {
		r.hits++
		return e, nil
	}
	e, err := r.load(ctx, ref)
	if err != nil {
		return nil, err
	}
	r.keep(e)
	return e, nil
}

// load reads an entry from the snapshot. Whoever has read of it what is asked
// for keeps it, so that it is counted once: see BenchmarkCold.
func (r *Reader) load(ctx context.Context, ref authz.EntityRef) (*entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.misses++
	var stored authz.Entity
	var known bool
	if !ref.IsRoot() {
		var err error
		if stored, known, err = r.snapshot.Entity(ref); err != nil {
			return nil, err
		}
	}
	return newEntry(key{r.tenant, ref.Type, ref.ID}, r.revision, stored, known), nil
}

// keep lets the cache have an entry and all that it holds by now, if the epoch
// is known.
func (r *Reader) keep(e *entry) {
	if r.epoch != 0 {
		r.cache.keep(e)
	}
}
