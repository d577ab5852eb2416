package store

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// A sizing is what a store takes for what is in no table yet. Memtables, and what
// writes them as tables, make up most of the memory of an import, some five times
// the size of one: larger ones, and a second one that waits to be flushed, take more.
type sizing struct {
	memTable int64
	// Badger takes a transaction of 15 % of a memtable, in bytes and in nodes of its
	// list; what is refused here is refused beforehand and with words.
	commitBytes, commitEntries int
}

var (
	usualSizing = sizing{memTableBytes, 6 << 20, 70_000} // of 6,920,601 and 72,089
	smallSizing = sizing{16 << 20, 2 << 20, 24_000}      // of 2,516,582 and 26,214
)

// sizing is how large the store may be in memory.
func (o Options) sizing() sizing {
	if o.LowMemory {
		return smallSizing
	}
	return usualSizing
}

// openSized opens a store with memtables of a size. A log that was left by a store
// with larger ones may not fit into one of those, and is made a table before.
func openSized(d disk, o badger.Options, size sizing) (*badger.DB, error) {
	const expansion = 3 // of the entries of a log in a memtable, at most
	if size.memTable < o.MemTableSize && d.dir != "" {
		files, err := verifyFiles(d.dir)
		if err != nil {
			return nil, err
		}
		if files.longestLog > size.memTable/expansion {
			db, err := openWith(d, o)
			if err != nil {
				return nil, err
			}
			if err := db.Close(); err != nil {
				return nil, fmt.Errorf("making a table of what was left in a log: %w", err)
			}
		}
	}
	return openWith(d, o.WithMemTableSize(size.memTable))
}
