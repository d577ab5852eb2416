package pip

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/maypok86/otter/v2"

	"github.com/verdictpdp/verdict/api/authz"
)

// DefaultCacheBytes is the bound of a cache that is given none.
const DefaultCacheBytes = 256 << 20

// Options configure a Cache.
type Options struct {
	// MaxBytes bounds the memory of what the cache holds, as estimated. 0
	// means DefaultCacheBytes.
	MaxBytes int64
}

// A Cache holds decoded entities of all tenants and revisions, and what was
// derived for them. It is safe for use by many goroutines at once.
//
// It evicts by W-TinyLFU (otter), which keeps what is read often when a scan
// over a whole type, or a stream of unknown ids, passes through. Once it is
// full, a doorkeeper spares it what is read once in a long while.
type Cache struct {
	entries  *otter.Cache[key, *entry]
	seed     maphash.Seed
	stripes  [stripeCount]stripe
	full     atomic.Bool // it has had to evict
	door     doorkeeper
	decoders *decoders
	readers  sync.Pool // of *Reader, released
	// hits and misses are of readers that were released.
	hits, misses atomic.Int64
}

const stripeCount = 1 << 10

// A stripe guards the entries of a part of all keys.
type stripe struct {
	mu sync.Mutex
	// invalidated is the last revision that changed an entity of the stripe.
	invalidated uint64
}

// A key finds an entry. It is a struct, not a text, so that a look-up
// allocates nothing.
type key struct{ tenant, typ, id string }

// NewCache makes an empty cache.
func NewCache(options Options) *Cache {
	maxBytes := cmp.Or(options.MaxBytes, DefaultCacheBytes)
	c := &Cache{seed: maphash.MakeSeed(), door: newDoorkeeper(maxBytes), decoders: newDecoders()}
	c.entries = otter.Must(&otter.Options[key, *entry]{
		MaximumWeight: uint64(maxBytes),
		// An eviction costs less than starting a goroutine for it and waking a
		// thread: see BenchmarkCold.
		Executor: func(task func()) { task() },
		Weigher:  func(_ key, e *entry) uint32 { return e.counted.Load() },
		OnDeletion: func(event otter.DeletionEvent[key, *entry]) {
			if event.Cause == otter.CauseOverflow {
				c.full.Store(true)
			}
		},
	})
	return c
}

// Invalidate forgets the entities that a commit changed: those whose record it
// wrote or deleted, and the subjects of the grants that it wrote or deleted.
// It is called for every commit, after the one before and before a snapshot at
// the commit's revision can be taken.
func (c *Cache) Invalidate(tenant string, revision uint64, changed []authz.EntityRef) {
	for _, ref := range changed {
		k := key{tenant, ref.Type, ref.ID}
		s := c.stripe(k)
		s.mu.Lock()
		s.invalidated = max(s.invalidated, revision)
		c.entries.Invalidate(k)
		s.mu.Unlock()
	}
}

// Bytes is the estimated memory of what the cache holds. It lets the evictions
// that are due happen first.
func (c *Cache) Bytes() uint64 {
	c.entries.CleanUp()
	return c.entries.WeightedSize()
}

// lookup finds an entry that holds at a revision, or nil.
func (c *Cache) lookup(k key, revision uint64) *entry {
	if e, found := c.entries.GetIfPresent(k); found && e.revision <= revision {
		return e
	}
	return nil
}

// admits reports whether an entity that a policy has read, and that is not in
// the cache, is worth a place.
func (c *Cache) admits(k key) bool {
	return !c.full.Load() || c.door.seen(c.hash(k))
}

// keep puts an entry that may stay into the cache, or counts anew one that has
// come to hold more, unless its entity may have changed since the entry was
// read. An older entry that is there and holds as well stays, for more readers
// may use it.
func (c *Cache) keep(e *entry) {
	if e.passing || !e.grown.Load() {
		return
	}
	e.grown.Store(false)
	if e.settled() {
		return
	}
	s := c.stripe(e.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e.count()
	if s.invalidated > e.revision {
		return
	}
	if present, found := c.entries.GetEntryQuietly(e.key); found && present.Value != e && present.Value.revision <= e.revision {
		return
	}
	c.entries.Set(e.key, e)
}

func (c *Cache) stripe(k key) *stripe {
	return &c.stripes[c.hash(k)%stripeCount]
}

func (c *Cache) hash(k key) uint64 { return maphash.Comparable(c.seed, k) }

// String is the key for a person.
func (k key) String() string {
	return fmt.Sprintf("%s in tenant %s", authz.Quote(k.ref().String()), k.tenant)
}

func (k key) ref() authz.EntityRef { return authz.EntityRef{Type: k.typ, ID: k.id} }
