package pip

// Stats are what a Cache holds and how often it had what was asked for.
type Stats struct {
	// Bytes is the estimated memory of what the cache holds, of at most MaxBytes, and
	// Entries how many entities that is. They may lag behind by what is due to be
	// evicted.
	Bytes, MaxBytes, Entries int64
	// Hits and Misses count the entities that decisions found in the cache, and those
	// that they read from the directory.
	Hits, Misses int64
}

// Stats are those of the cache. They disturb nobody who reads.
func (c *Cache) Stats() Stats {
	return Stats{
		Bytes: int64(c.entries.WeightedSize()), MaxBytes: int64(c.entries.GetMaximum()), Entries: int64(c.entries.EstimatedSize()),
		Hits: c.hits.Load(), Misses: c.misses.Load(),
	}
}

// count takes over what a reader has counted. Readers count by themselves, so that
// those of several processors write to one place once for each decision.
func (c *Cache) count(r *Reader) {
	if r.hits > 0 {
		c.hits.Add(r.hits)
	}
	if r.misses > 0 {
		c.misses.Add(r.misses)
	}
	r.hits, r.misses = 0, 0
}
