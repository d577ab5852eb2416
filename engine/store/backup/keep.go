package backup

import "bytes"

// A Keep tells which versions can be read at a floor or above it, of those that
// it is shown in the order of a backup.
type Keep struct {
	Floor uint64

	key  []byte
	seen bool // a version at or below the floor
	any  bool
}

// Version reports whether a version can be read.
func (k *Keep) Version(v Version) bool {
	if !k.any || !bytes.Equal(k.key, v.Key) {
		k.key, k.seen, k.any = append(k.key[:0], v.Key...), false, true
	}
	if v.Revision > k.Floor {
		return true
	}
	first := !k.seen
	k.seen = true
	return first && !v.Deleted // what is not there at the floor needs no note of that
}

// Done reports whether no further version of the last key can be read.
func (k *Keep) Done() bool { return k.seen }
