package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store/backup"
)

// RestoreOptions say where a store is restored.
type RestoreOptions struct {
	// Dir is the directory of the store: not there, empty, or a store that was
	// never written to; for backups without a full one, a store that is at the
	// revision from which they go on.
	Dir string
	// Logger hears what Badger warns of.
	Logger *zap.Logger
}

// Restore makes a store of backups, in whichever order they are given: what can
// be read of it is what could be read where they were made, at each revision that
// was kept. The header returned says what it holds.
//
// The store is built within its directory, which is locked meanwhile, and takes
// its place there when it is whole, checked and on disk: until then an
// interruption or an error leaves what was there. Backups that do not fit
// together, or not to the directory, are errors of kind FailedPrecondition;
// damaged ones are of kind Invalid.
func Restore(ctx context.Context, o RestoreOptions, backups []*backup.Reader) (backup.Header, error) {
	if len(backups) == 0 {
		return backup.Header{}, authz.Errorf(authz.Invalid, "there is nothing to restore: name at least one backup")
	}
	if err := backup.Chain(backups); err != nil {
		return backup.Header{}, err
	}
	first, last := backups[0].Header(), backups[len(backups)-1].Header()
	if last.To > 0 && (last.StoreFormat < oldestFormat || last.StoreFormat > format) {
		return last, authz.Errorf(authz.FailedPrecondition, "the backup has a store of format %d, and this program reads formats %d to %d: restore it with the program that made it, export each tenant, and import that", last.StoreFormat, oldestFormat, format)
	}
	check := (*loadSite).checkUnwritten
	if !first.Full() {
		check = (*loadSite).checkStore
	}
	site, err := newSite(o.Dir, o.Logger, check)
	if err != nil {
		return last, err
	}
	defer site.close()
	r := &restoring{ctx: ctx, site: site, log: o.Logger, first: first, last: last}
	for _, reader := range backups {
		r.sources = append(r.sources, reader)
	}
	return last, r.restore()
}

// A restoring is a store that is made of backups.
type restoring struct {
	ctx         context.Context
	site        *loadSite
	log         *zap.Logger
	first, last backup.Header
	sources     []backup.Source
}

func (r *restoring) restore() error {
	write := r.write
	if !r.first.Full() {
		write = r.writeAfterStore
	}
	if err := write(); err != nil {
		return fmt.Errorf("restoring into %s: %w", r.site.target, err)
	}
	if err := r.verify(); err != nil {
		return err
	}
	return r.site.replace()
}

// writeAfterStore writes what the store in place holds, and the backups.
func (r *restoring) writeAfterStore() (err error) {
	db, err := openWith(r.site.disk, badgerOptions(r.site.target, r.log).WithBypassLockGuard(true)) // the lock is the site's
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	base := &Store{options: Options{Dir: r.site.target, Logger: r.log}, db: db}
	base.sealedFrom.Store(math.MaxUint64)
	txn := base.at(db.MaxVersion())
	defer txn.Discard()
	if err := r.expectBase(txn, db.MaxVersion()); err != nil {
		return err
	}
	versions := newStoreSource(txn)
	defer versions.it.Close()
	r.sources = append(r.sources, versions)
	return r.write()
}

// expectBase refuses a store from whose latest revision the backups do not go on.
func (r *restoring) expectBase(from source, latest uint64) error {
	if latest != r.first.From {
		return authz.Errorf(authz.FailedPrecondition, "the backup goes on from revision %d, and the store is at revision %d: restore a full one, and those after it, into another directory", r.first.From, latest)
	}
	if err := from.store.recoverFormat(from); err != nil {
		return err
	}
	base, err := tip(from, latest)
	switch {
	case err != nil:
		return err
	case base != r.first.Base:
		return authz.Errorf(authz.FailedPrecondition, "the backup goes on from another revision %d than the store's: restore a full one, and those after it, into another directory", latest)
	}
	return nil
}

// deletedMeta is what marks a deletion to Badger, in its own backups as well.
var deletedMeta = []byte{1}

// write writes the versions as tables, which takes them in the order in which
// backups have them.
func (r *restoring) write() (err error) {
	db, err := openWith(r.site.disk, badgerOptions(r.site.store(), r.log).WithBaseTableSize(loadTableBytes))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w := newTableWriter(db, r.site.disk)
	if err := w.writer.Prepare(); err != nil {
		return err
	}
	defer w.close()
	if err := backup.Merge(r.last.Floor, func(v backup.Version) error {
		kv := &pb.KV{Key: v.Key, Value: v.Value, Version: v.Revision, StreamId: recordStream}
		if v.Deleted {
			kv.Meta = deletedMeta
		}
		return w.addVersion(r.ctx, kv)
	}, r.sources...); err != nil {
		return err
	}
	return w.flush()
}

// verify opens the store as whoever serves it will.
func (r *restoring) verify() error {
	s, err := open(Options{Dir: r.site.store(), Clock: time.Now, Logger: r.log}, r.site.disk.free)
	if err != nil {
		return err
	}
	err = r.expectRestored(s)
	return errors.Join(err, s.Close())
}

func (r *restoring) expectRestored(s *Store) error {
	oldest, latest := s.Revisions()
	txn := s.at(latest)
	defer txn.Discard()
	reached, err := tip(txn, latest)
	if err != nil {
		return err
	}
	if latest != r.last.To || oldest != r.last.Floor || reached != r.last.Tip {
		return authz.Errorf(authz.Invalid, "what was restored has revisions %d to %d, and the backup says %d to %d: use another one", oldest, latest, r.last.Floor, r.last.To)
	}
	return nil
}

// A storeSource gives the versions of a store.
type storeSource struct {
	from  source
	it    *badger.Iterator
	begun bool
}

func newStoreSource(from source) *storeSource {
	it := from.NewIterator(badger.IteratorOptions{AllVersions: true})
	it.Rewind()
	return &storeSource{from: from, it: it}
}

// Next is the next version.
func (s *storeSource) Next() (v backup.Version, err error) {
	if s.begun {
		s.it.Next()
	}
	s.begun = true
	if !s.it.Valid() {
		return v, io.EOF
	}
	item := s.it.Item()
	v = backup.Version{Key: item.Key(), Revision: item.Version(), Deleted: item.IsDeletedOrExpired()}
	if v.Deleted {
		return v, nil
	}
	// It lasts as long as the item, which is until the next.
	return v, s.from.store.sealedValueOf(item, func(value []byte) { v.Value = value })
}
