package store

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/dgraph-io/badger/v4"
)

// EachChangeBefore visits the tenant's change records of the revisions before one,
// newest first, until visit returns false: all that are kept, those of revisions
// that can no longer be read as well.
func (v *View) EachChangeBefore(revision uint64, visit func(ChangeRecord) bool) error {
	space := prefix(v.tenant, spaceChange)
	from := v.txn()
	it := from.NewIterator(badger.IteratorOptions{Prefix: space, Reverse: true})
	defer it.Close()
	if revision == 0 {
		return nil
	}
	var at uint64
	var parts [][]byte // of the record at it, last first
	finish := func() (more bool, err error) {
		if at == 0 {
			return true, nil
		}
		var whole []byte
		for i := len(parts) - 1; i >= 0; i-- {
			whole = append(whole, parts[i]...)
		}
		record, err := decodeChangeRecord(at, whole)
		if err != nil {
			return false, from.damaged(changeKey(v.tenant, at, 0), err)
		}
		return visit(record), nil
	}
	for it.Seek(changeKey(v.tenant, revision-1, math.MaxUint32)); it.Valid(); it.Next() {
		item := it.Item()
		key := item.Key()[len(space):]
		if len(key) != 12 {
			return from.damaged(item.KeyCopy(nil), errShort)
		}
		if next := binary.BigEndian.Uint64(key); next != at {
			more, err := finish()
			if err != nil || !more {
				return err
			}
			at, parts = next, parts[:0]
		}
		err := from.valueOf(item, func(part []byte) error {
			parts = append(parts, bytes.Clone(part))
			return nil
		})
		if err != nil {
			return from.damaged(item.KeyCopy(nil), err)
		}
	}
	_, err := finish()
	return err
}
