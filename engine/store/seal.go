package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/dgraph-io/badger/v4"
)

// A record is sealed: its value ends with a checksum of its key, its revision
// and what it says. Badger's own checksums are of the blocks of a table, and
// tell nothing of what was damaged before a block was written.
const sealSize = crc32.Size

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errSeal = errors.New("its checksum does not match")

// seal is the sealed value of a record.
func seal(key []byte, revision uint64, value []byte) []byte {
	sealed := make([]byte, 0, len(value)+sealSize)
	sealed = append(sealed, value...)
	return binary.BigEndian.AppendUint32(sealed, checksum(key, revision, value))
}

// unseal is what a sealed value says; a record that is not as it was written is
// an error.
func unseal(key []byte, revision uint64, sealed []byte) ([]byte, error) {
	end := len(sealed) - sealSize
	if end < 0 {
		return nil, errShort
	}
	if binary.BigEndian.Uint32(sealed[end:]) != checksum(key, revision, sealed[:end]) {
		return nil, errSeal
	}
	return sealed[:end:end], nil
}

func checksum(key []byte, revision uint64, value []byte) uint32 {
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
	// The revision's checksum is not computed with a call of its own: it would need
	// a buffer. Any change of it changes the sum.
	return sum ^ uint32(revision) ^ uint32(revision>>32)
}

// sealedValueOf hands the value of a record to take as it is stored, once it was seen
// to be as it was written.
func (s *Store) sealedValueOf(item *badger.Item, take func(value []byte)) error {
	from := source{store: s}
	err := from.valueOf(item, func([]byte) error { return nil })
	if err == nil {
		err = item.Value(func(value []byte) error { take(value); return nil })
	}
	if err != nil {
		return from.damaged(item.KeyCopy(nil), err)
	}
	return nil
}

// valueOf hands what a record says to decode, which has it only while that runs.
func (from source) valueOf(item *badger.Item, decode func([]byte) error) error {
	if item.Version() < from.store.sealedFrom.Load() {
		return item.Value(decode)
	}
	return item.Value(func(sealed []byte) error {
		value, err := unseal(item.Key(), item.Version(), sealed)
		if err != nil {
			return err
		}
		return decode(value)
	})
}
