package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/store/backup"
)

// A dump reads what a backup holds, a frame at a time. In between it holds no
// iterator, for that would keep tables on disk that were merged into others: what
// keeps the versions are its pins.
type dump struct {
	store *Store
	// latest is the revision that is read, and oldest the one from which on nothing
	// is discarded. Both are pinned.
	latest, oldest *version
	header         backup.Header
	keep           backup.Keep

	next  []byte // where reading goes on
	below uint64 // within the key next: at the versions below this one; else 0
	work  background.Work
}

// newDump begins to read, if the store is whole: what Badger cannot read of a table
// it would leave out in silence.
func (s *Store) newDump(ctx context.Context, o BackupOptions) (*dump, error) {
	err := s.scrub(ctx, 0)
	if err := s.expectUndamaged(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	latest, oldest, err := s.pinHistory()
	if err != nil {
		return nil, err
	}
	d := &dump{store: s, latest: latest, oldest: oldest, keep: backup.Keep{Floor: oldest.revision}, work: s.options.Pace.Begin()}
	if d.header, err = d.headerAfter(o); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// pinHistory pins the latest revision, and the oldest that can be read there.
func (s *Store) pinHistory() (latest, oldest *version, err error) {
	for {
		view, err := s.Latest("")
		if err != nil {
			return nil, nil, err
		}
		floor, err := view.Floor()
		if err == nil {
			oldest, err = s.pinAt(floor)
		}
		if err == nil {
			view.end() // and its version stays pinned
			return view.version, oldest, nil
		}
		view.Close()
		if authz.KindOf(err) != authz.FailedPrecondition {
			return nil, nil, err
		}
		// The floor has moved on, by a revision that is later than the one pinned.
	}
}

func (d *dump) close() {
	d.latest.pins.Add(-1)
	d.oldest.pins.Add(-1)
}

// headerAfter is the header of a backup that goes on from a revision.
func (d *dump) headerAfter(o BackupOptions) (backup.Header, error) {
	h := backup.Header{From: o.After, To: d.latest.revision, Floor: d.oldest.revision}
	switch {
	case h.From > h.To:
		return h, authz.Errorf(authz.FailedPrecondition, "no backup can go on from revision %d, for the directory is at revision %d: make a full one", h.From, h.To)
	case h.From > 0 && h.From < h.Floor:
		return h, authz.Errorf(authz.FailedPrecondition, "no backup can go on from revision %d, for the directory keeps revisions %d to %d: make a full one", h.From, h.Floor, h.To)
	}
	txn := d.store.at(h.To)
	defer txn.Discard()
	var err error
	if h.From > 0 {
		if h.Base, err = tip(txn, h.From); err != nil {
			return h, err
		}
	}
	if o.Base != "" && o.Base != h.Base {
		return h, authz.Errorf(authz.FailedPrecondition, "no backup can go on from revision %d of the backup before, for it is another than this directory's: make a full one", h.From)
	}
	if h.Tip, err = tip(txn, h.To); err != nil {
		return h, err
	}
	last, err := readCommit(txn, h.To)
	if err != nil {
		return h, err
	}
	if h.To > 0 {
		h.Time = last.time.UTC()
	}
	if h.StoreFormat, err = readNumber(txn, systemKey(systemFormat)); err != nil {
		return h, err
	}
	h.Tenants, err = tenantsOf(txn)
	return h, err
}

// tip tells a revision from the one of the same number in another store: by the
// note of its commit, which has the time in nanoseconds. It is empty for revision
// 0, which is the same everywhere.
func tip(from source, revision uint64) (string, error) {
	if revision == 0 {
		return "", nil
	}
	var hash string
	version, err := readValue(from, commitKey(revision), func(note []byte) error {
		sum := sha256.Sum256(note)
		hash = hex.EncodeToString(sum[:16])
		return nil
	})
	if err == nil && version == 0 {
		err = from.damaged(commitKey(revision), errors.New("there is no note of the commit"))
	}
	return hash, err
}

// tenantsOf finds the tenants of a store, by name: a seek for each.
func tenantsOf(from source) ([]string, error) {
	it := from.NewIterator(badger.IteratorOptions{})
	defer it.Close()
	tenants := []string{}
	it.Seek([]byte{systemByte + 1})
	for it.Valid() {
		name, _, found := bytes.Cut(it.Item().Key(), []byte{0})
		if !found {
			return nil, from.damaged(it.Item().KeyCopy(nil), errors.New("it has no tenant"))
		}
		tenants = append(tenants, string(name))
		it.Seek(append(bytes.Clone(name), 1))
	}
	return tenants, nil
}

// maxUnread is how many versions of a key that are not to be read are passed one
// by one: then the next key is looked up.
const maxUnread = 16

// readAtOnce is how many versions are read before others may get their turn: some 20 µs.
const readAtOnce = 64

// read adds versions until a frame is full, and reports whether there are more. It ends
// with the context, and with the store.
func (d *dump) read(ctx context.Context, out *backup.Writer) (more bool, err error) {
	if d.below > 0 {
		full, err := d.readKey(out)
		if err != nil || full {
			return true, err
		}
		d.next, d.below = append(d.next, 0), 0 // the least key after it
	}
	txn := d.store.db.NewTransactionAt(d.latest.revision, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: true, SinceTs: d.header.From})
	defer it.Close()
	read, unread := 0, 0
	it.Seek(d.next)
	for it.Valid() {
		kept, full, err := d.add(out, it.Item())
		if err != nil || full {
			return true, err
		}
		if unread++; kept {
			unread = 0
		}
		if read++; read%readAtOnce == 0 {
			if err := d.rest(ctx); err != nil {
				return false, err
			}
		}
		if unread < maxUnread {
			it.Next()
			continue
		}
		it.Seek(append(it.Item().KeyCopy(nil), 0))
		unread = 0
	}
	return false, nil
}

// readKey adds the remaining versions of a key that did not fit into one frame.
func (d *dump) readKey(out *backup.Writer) (full bool, err error) {
	txn := d.store.db.NewTransactionAt(d.below-1, false)
	defer txn.Discard()
	it := txn.NewKeyIterator(d.next, badger.IteratorOptions{AllVersions: true, SinceTs: d.header.From})
	defer it.Close()
	for it.Rewind(); it.Valid() && !d.keep.Done(); it.Next() {
		if _, full, err = d.add(out, it.Item()); err != nil || full {
			return full, err
		}
	}
	return false, nil
}

// add adds a version if it is to be kept, and reports both that and whether the
// frame is full, after which reading goes on behind it.
func (d *dump) add(out *backup.Writer, item *badger.Item) (kept, full bool, err error) {
	v := backup.Version{Key: item.Key(), Revision: item.Version(), Deleted: item.IsDeletedOrExpired()}
	if !d.keep.Version(v) {
		return false, false, nil
	}
	if v.Deleted {
		full = out.Add(v)
	} else if err := d.store.sealedValueOf(item, func(value []byte) {
		v.Value = value
		full = out.Add(v)
	}); err != nil {
		return false, false, err
	}
	if full {
		d.next, d.below = append(d.next[:0], v.Key...), v.Revision
	}
	return true, full, nil
}

// rest leaves the processor to others. It fails when the context or the store has ended.
func (d *dump) rest(ctx context.Context) error {
	select {
	case <-d.store.closing:
		return errClosed
	default:
		return d.work.Rest(ctx)
	}
}
