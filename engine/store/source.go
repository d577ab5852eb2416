package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/verdictpdp/verdict/api/authz"
)

// A source is what records are read from: all of them are read through
// readValue and scan, which see to it that a record is as it was written.
type source struct {
	*badger.Txn
	store *Store
}

// at is a source of a revision. Discard must be called on it.
func (s *Store) at(revision uint64) source {
	return source{s.db.NewTransactionAt(revision, false), s}
}

// readValue reads a key, if it is there, and the revision that wrote it. The
// value is decode's only while that runs.
func readValue(from source, key []byte, decode func([]byte) error) (uint64, error) {
	if err := from.verifyKey(key); err != nil {
		return 0, err
	}
	item, err := from.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the store: %w", err)
	}
	if err := from.valueOf(item, decode); err != nil {
		return 0, from.damaged(key, err)
	}
	return item.Version(), nil
}

// scan visits the keys that begin with a space, from a key on (the beginning
// where it is nil), until visit returns false. A visit gets the key without
// the space; key and value are its own only while it runs.
func scan(from source, space, start []byte, values bool, visit func(key, value []byte) (bool, error)) error {
	return scanItems(from, space, start, func(key []byte, item *badger.Item) (more bool, err error) {
		if !values {
			return visit(key, nil)
		}
		err = from.valueOf(item, func(value []byte) error {
			more, err = visit(key, value)
			return err
		})
		return more, err
	})
}

// scanItems is scan for those who need the version too.
func scanItems(from source, space, start []byte, visit func(key []byte, item *badger.Item) (bool, error)) error {
	// Badger fetches values ahead with a goroutine for each, which pays for
	// values in the value log. Ours lie beside their keys.
	it := from.NewIterator(badger.IteratorOptions{Prefix: space})
	defer it.Close()
	if start == nil {
		start = space
	}
	for it.Seek(start); it.Valid(); it.Next() {
		item := it.Item()
		more, err := visit(item.Key()[len(space):], item)
		if err != nil {
			return from.damaged(item.KeyCopy(nil), err)
		}
		if !more {
			return from.verifyRange(start, item.Key())
		}
	}
	return from.verifyRange(start, append(space[:len(space):len(space)], endOfSpace...))
}

// endOfSpace is behind all that a key has after its space: no component has such a
// byte, which no UTF-8 has, and no revision comes to so much.
var endOfSpace = bytes.Repeat([]byte{0xff}, 16)

// verifyKey verifies what a key is read from.
func (from source) verifyKey(key []byte) error {
	return from.verified(from.store.blocks.verifyKey(y.KeyWithTs(key, from.ReadTs())))
}

// verifyRange verifies what the keys of a range were read from. It is not known
// before how far a scan comes.
func (from source) verifyRange(first, last []byte) error {
	return from.verified(from.store.blocks.verifyRange(y.KeyWithTs(first, from.ReadTs()), y.KeyWithTs(last, 0)))
}

// verified has the store remember damage that was met by a read, which is no fault of
// who reads.
func (from source) verified(err error) error {
	if err == nil || !isDamage(err) {
		return err
	}
	from.store.noteDamage(err)
	return authz.Errorf(authz.Internal, "%w", err)
}

// readNumber reads a key that holds a number: 0 where there is none.
func readNumber(from source, key []byte) (uint64, error) {
	var number uint64
	_, err := readValue(from, key, func(value []byte) error {
		d := decoder{rest: value}
		number = d.uvarint()
		return d.err
	})
	return number, err
}

// damaged makes an error of a record that is not as it was written, and has the
// store remember it.
func (from source) damaged(key []byte, err error) error {
	err = authz.Errorf(authz.Internal, "the store is damaged at key %q: %w", key, err)
	from.store.noteDamage(err)
	return err
}
