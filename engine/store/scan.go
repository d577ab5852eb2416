package store

import (
	"github.com/dgraph-io/badger/v4"
)

// scan visits the keys that begin with a space, from a key on (the beginning
// where it is nil), until visit returns false. A visit gets the key without
// the space; key and value are its own only while it runs.
func scan(txn *badger.Txn, space, from []byte, values bool, visit func(key, value []byte) (bool, error)) error {
	return scanItems(txn, space, from, func(key []byte, item *badger.Item) (more bool, err error) {
		if !values {
			return visit(key, nil)
		}
		err = item.Value(func(value []byte) error {
			more, err = visit(key, value)
			return err
		})
		return more, err
	})
}

// scanItems is scan for those who need the version too.
func scanItems(txn *badger.Txn, space, from []byte, visit func(key []byte, item *badger.Item) (bool, error)) error {
	// Badger fetches values ahead with a goroutine for each, which pays for
	// values in the value log. Ours lie beside their keys.
	it := txn.NewIterator(badger.IteratorOptions{Prefix: space})
	defer it.Close()
	if from == nil {
		from = space
	}
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		more, err := visit(item.Key()[len(space):], item)
		if err != nil {
			return corrupt(item.KeyCopy(nil), err)
		}
		if !more {
			return nil
		}
	}
	return nil
}
