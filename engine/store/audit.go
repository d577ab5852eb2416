package store

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// A Lookback says which change records are read, newest first. What they name is
// found by reading through them: no index of who changed what is kept, since each
// change would pay for it and few are ever asked for. See BenchmarkLookback.
type Lookback struct {
	// Before is the revision after the first that is read.
	Before uint64
	// Since leaves out what was committed before it.
	Since time.Time
	// Naming leaves out the records that do not have this text in them, such as a
	// ref. Those that have it may have it anywhere.
	Naming string
	// Work bounds what is read, in bytes.
	Work int
}

// recordWork is what it takes to come to a record, in bytes of one.
const recordWork = 512

// EachChangeBack visits the tenant's change records newest first, until visit
// returns false: all that are kept, those of revisions that can no longer be read as
// well. Rest is the revision before which to look on if the work came to its bound,
// and 0 where it did not.
func (v *View) EachChangeBack(back Lookback, visit func(ChangeRecord) bool) (rest uint64, err error) {
	space := prefix(v.tenant, spaceChange)
	from := v.txn()
	it := from.NewIterator(badger.IteratorOptions{Prefix: space, Reverse: true})
	defer it.Close()
	if back.Before == 0 {
		return 0, nil
	}
	b := backwards{view: v, Lookback: back, visit: visit}
	last := changeKey(v.tenant, back.Before-1, math.MaxUint32)
	first := space // that was come to
	defer func() {
		if err == nil {
			err = from.verifyRange(first, last)
		}
	}()
	for it.Seek(last); it.Valid() && !b.done; it.Next() {
		item := it.Item()
		key := item.Key()[len(space):]
		if len(key) != 12 {
			return 0, from.damaged(item.KeyCopy(nil), errShort)
		}
		if revision := binary.BigEndian.Uint64(key); revision != b.at {
			if err := b.finish(); err != nil || b.done {
				first = item.KeyCopy(nil)
				return b.rest, err
			}
			b.at = revision
		}
		err := from.valueOf(item, func(part []byte) error {
			b.parts = append(b.parts, bytes.Clone(part))
			return nil
		})
		if err != nil {
			return 0, from.damaged(item.KeyCopy(nil), err)
		}
	}
	return b.rest, b.finish()
}

// backwards is how far a look back has come.
type backwards struct {
	Lookback
	view  *View
	visit func(ChangeRecord) bool
	at    uint64   // the revision that is gathered
	parts [][]byte // of its record, last first
	work  int
	rest  uint64
	done  bool
}

// finish looks at the record that was gathered.
func (b *backwards) finish() error {
	if b.at == 0 || b.done {
		return nil
	}
	whole := b.parts[0]
	if len(b.parts) > 1 {
		whole = nil
		for i := len(b.parts) - 1; i >= 0; i-- {
			whole = append(whole, b.parts[i]...)
		}
	}
	b.parts = b.parts[:0]
	if b.work += recordWork + len(whole); b.work >= b.Work {
		b.rest, b.done = b.at, true
	}
	d := decoder{rest: whole}
	d.uvarint()
	if committed := time.Unix(0, d.varint()); d.err == nil && committed.Before(b.Since) {
		b.rest, b.done = 0, true
		return nil
	}
	if !bytes.Contains(whole, []byte(b.Naming)) {
		return nil
	}
	record, err := decodeChangeRecord(b.at, whole)
	if err != nil {
		return b.view.txn().damaged(changeKey(b.view.tenant, b.at, 0), err)
	}
	if !b.visit(record) {
		b.rest, b.done = 0, true
	}
	return nil
}

// RevisionAt is the latest revision that was committed before a time, as far as that
// is known: 0 where all that are kept came later.
func (v *View) RevisionAt(t time.Time) (uint64, error) {
	audited, err := readNumber(v.txn(), systemKey(systemAudit))
	if err != nil {
		return 0, err
	}
	// Commits have notes without gaps from there on, in the order of their times.
	low, high := audited, v.Revision()
	for low < high {
		middle := low + (high-low+1)/2
		c, err := readCommit(v.txn(), middle)
		if err != nil {
			return 0, err
		}
		if c.time.Before(t) {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low, nil
}
