package pip

import "sync/atomic"

// A doorkeeper knows, roughly, which keys were asked for lately: each hash has
// one place, where it leaves a tag until the next that has the same place.
//
// Where there are far more entities than the cache can hold, most are read
// once in a long while. Putting such a one into a full cache costs about as
// much as reading it from the store, and throws another out. So only those
// that are read again before they are forgotten get in.
type doorkeeper []atomic.Uint32

// doorBytes is how many bytes of the cache have a place at the door: then it
// remembers a few times as many keys as the cache holds entries.
const doorBytes = 1 << 10

func newDoorkeeper(cacheBytes int64) doorkeeper {
	return make(doorkeeper, 1+cacheBytes/doorBytes)
}

// seen reports whether a hash was asked for lately, and remembers it.
func (d doorkeeper) seen(hash uint64) bool {
	tag := uint32(hash >> 32)
	return d[hash%uint64(len(d))].Swap(tag) == tag
}
