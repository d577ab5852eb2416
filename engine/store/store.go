package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
)

// Options say where a store is and how it behaves.
type Options struct {
	// Dir is the directory of the store, made if it is not there. One that holds
	// something else and no store is refused. Empty means in memory: nothing is kept.
	Dir string
	// Retention is how long a past revision stays readable at least, and Audit how
	// long its change record is kept: never for less, but for AuditBytes.
	Retention, Audit time.Duration
	// AuditBytes is about how many bytes of change records are kept, beside those of the
	// revisions that stay readable; 0 for any number.
	AuditBytes int64
	// LowMemory has the store take a third of the memory while it is written to, for
	// commits of a third of the size. It may be another each time.
	LowMemory bool
	// Housekeeping is how often the store looks whether something is to be discarded
	// while nobody writes; 0 for never.
	Housekeeping time.Duration
	// Pace is kept to by backups, and by what reads the whole store. Nil never rests.
	Pace *background.Pace
	// Clock is the time of commits.
	Clock func() time.Time
	// Logger hears what goes wrong out of a caller's sight.
	Logger *zap.Logger
	// OnCommit, if set, is called for each tenant that a commit changed, after
	// the commit is on disk and before its revision is published. Changed are
	// the entities whose record or own grants changed.
	OnCommit func(tenant string, revision uint64, changed []authz.EntityRef)
	// Committed, if set, is told how long each commit took to come to the disk, and
	// why it did not.
	Committed func(took time.Duration, err error)
}

// Settings of Badger. How much lies in tables of level zero before they are merged
// decides how often the levels below are written again.
const (
	memTableBytes   = 44 << 20
	memTables       = 1
	levelZeroTables = 8
	compactors      = 2
)

// badgerOptions are the options that every store is opened with.
func badgerOptions(dir string, log *zap.Logger) badger.Options {
	return badger.DefaultOptions(dir).
		WithInMemory(dir == "").
		WithSyncWrites(dir != "").
		WithDetectConflicts(false). // one goroutine writes
		WithNumVersionsToKeep(1).   // below the discard timestamp; above it all are kept
		WithCompression(options.None).
		WithBlockCacheSize(0). // without compression the mapped pages are the cache
		WithIndexCacheSize(0).
		WithMetricsEnabled(false).
		WithMemTableSize(memTableBytes).
		WithNumMemtables(memTables).
		WithNumLevelZeroTables(levelZeroTables).
		WithNumLevelZeroTablesStall(3 * levelZeroTables).
		WithNumCompactors(compactors).
		WithLogger(newBadgerLogger(log))
}

// A Store is an open store. It is safe for use by many goroutines at once.
type Store struct {
	options Options
	disk    disk
	site    site // as Open found it
	db      *badger.DB
	blocks  blockGuard
	ended   *badger.Txn  // what a view that has ended is read through: an error
	seed    maphash.Seed // of tokens

	published atomic.Pointer[version]
	floor     atomic.Uint64
	// sealedFrom is the first revision whose records are sealed.
	sealedFrom atomic.Uint64

	pinsMu sync.Mutex
	pinned []*version // the versions that may have pins

	queue   chan *Write
	closing chan struct{} // closed when Close begins
	stopped chan struct{} // closed when the writer has ended
	// scrubbed is closed when the tables are verified no more; nil for a store in
	// memory.
	scrubbed chan struct{}
	keeper   housekeeper
	keeping  sync.WaitGroup // what the keeper has begun
	once     sync.Once
	closed   error

	// What follows belongs to the writer.
	heads    map[string]uint64 // the tenants' last changes
	links    recentLinks
	expiring expiring    // above the floor
	audited  uint64      // the latest revision whose change record is gone
	unaudit  expiring    // above that
	records  recordSizes // what the change records take
	format   uint64      // that the store has on disk
	lastTime time.Time   // of the last commit
	ageing   *ageing
	wrote    uint64    // the last revision that changed a tenant
	wroteAt  time.Time // when that was
	// summed are the sizes of what was there when the store was opened, once they are
	// known and until the writer takes them.
	summed atomic.Pointer[recordSizes]
	told   atomic.Pointer[ChangeRecords]
	// commitAt commits a transaction as a revision, on disk.
	commitAt func(txn *badger.Txn, revision uint64) error

	// failed is why no more is written, and damage what was found to be damaged.
	failed, damage fault
	// acknowledged is nil for a store in memory.
	acknowledged *os.File
	backedUp     atomic.Pointer[BackedUp] // nil for never
}

// Open opens a store, and makes it where there is none. Close must be called.
//
// It reads all of the store's files once, to see that they are as they were
// written. A store that another process has open, or whose disk is nearly full, is
// an error of kind Unavailable; one that is damaged, or of another format, and a
// directory that holds something else, are errors of kind FailedPrecondition.
func Open(o Options) (*Store, error) { return open(o, freeBytes) }

func open(o Options, free func(dir string) (bytes int64, known bool)) (*Store, error) {
	d, before := disk{o.Dir, free}, siteOf(o.Dir)
	db, err := openBadger(d, o.sizing(), o.Logger)
	if err != nil {
		return nil, err
	}
	s := &Store{
		options: o, disk: d, site: before, db: db, blocks: blockGuard{dir: o.Dir}, seed: maphash.MakeSeed(),
		queue:    make(chan *Write, maxGroupWrites),
		closing:  make(chan struct{}),
		stopped:  make(chan struct{}),
		heads:    make(map[string]uint64),
		links:    make(recentLinks),
		commitAt: func(txn *badger.Txn, revision uint64) error { return txn.CommitAt(revision, nil) },
	}
	s.sealedFrom.Store(math.MaxUint64)
	s.ended = db.NewTransactionAt(0, false)
	s.ended.Discard()
	if err := errors.Join(s.recover(), s.openAcknowledged()); err != nil {
		return nil, errors.Join(err, s.closeAcknowledged(), db.Close())
	}
	_, latest := s.Revisions()
	if latest > 0 {
		s.acknowledge(latest)
	}
	s.openBackedUp()
	if o.Dir != "" {
		if err := os.RemoveAll(loadDir(o.Dir)); err != nil {
			o.Logger.Warn("what an interrupted load left cannot be removed", zap.Error(err))
		}
	}
	oldest := s.unaudit.revision
	s.records.whole = oldest == 0
	s.tellRecords()
	go s.write()
	if o.Dir != "" {
		s.guardOnce(false)
		s.keeping.Go(s.guarding)
		if o.AuditBytes > 0 && oldest > 0 {
			s.keeping.Go(func() { s.sumRecords(oldest, latest) })
		}
		s.scrubbed = make(chan struct{})
		go s.scrubbing()
	}
	return s, nil
}

func openBadger(d disk, size sizing, log *zap.Logger) (*badger.DB, error) {
	if d.dir != "" {
		// Badger takes the same lock, and only says in its text that it could
		// not.
		unlock, err := lockStore(d.dir)
		if err != nil {
			return nil, err
		}
		err = mend(d.dir, os.Rename)
		if err == nil {
			err = expectWritable(d.dir)
		}
		unlock()
		if err != nil {
			return nil, err
		}
	}
	return openSized(d, badgerOptions(d.dir, log), size)
}

// openWith opens what is there only if it is as it was written.
func openWith(d disk, o badger.Options) (*badger.DB, error) {
	if !o.InMemory {
		if _, err := verifyFiles(o.Dir); err != nil {
			return nil, err
		}
	}
	if err := d.expectRoomToOpen(); err != nil {
		return nil, err
	}
	db, err := badger.OpenManaged(o)
	if err != nil {
		return nil, authz.Errorf(authz.Unavailable, "the store in %s cannot be opened: %w", d.dir, err)
	}
	return db, nil
}

// recover reads where the store stands.
func (s *Store) recover() error {
	head := s.db.MaxVersion()
	txn := s.at(head)
	defer txn.Discard()
	if head > 0 {
		if err := s.recoverFormat(txn); err != nil {
			return err
		}
	}
	floor, err := readNumber(txn, systemKey(systemFloor))
	if err != nil {
		return err
	}
	if s.expiring, err = nextToExpire(txn, floor); err != nil {
		return err
	}
	if s.audited, err = readNumber(txn, systemKey(systemAudit)); err != nil {
		return err
	}
	if s.unaudit, err = nextToExpire(txn, s.audited); err != nil {
		return err
	}
	if head > 0 {
		last, err := readCommit(txn, head)
		if err != nil {
			return err
		}
		s.lastTime, s.wroteAt = last.time, last.time
		if len(last.tenants) > 0 {
			s.wrote = head
		}
	}
	s.ageing = newAgeing(s.options.Logger, s.options.Clock(), s.lastTime, head)
	s.publish(&version{revision: head, opened: head, epochs: map[string]uint64{}, superseded: make(chan struct{})})
	s.setFloor(floor)
	return nil
}

// recoverFormat reads the store's format, which stands in front of its value in all
// formats, sealed or not, and from which revision on records are sealed.
func (s *Store) recoverFormat(from source) error {
	item, err := from.Get(systemKey(systemFormat))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return from.damaged(systemKey(systemFormat), err)
	}
	if err == nil {
		err = item.Value(func(value []byte) error {
			d := decoder{rest: value}
			s.format = d.uvarint()
			return d.err
		})
	}
	switch {
	case err != nil:
		return fmt.Errorf("reading the store's format: %w", err)
	case s.format > format:
		return authz.Errorf(authz.FailedPrecondition, "the store in %s has format %d, which a later program wrote, and this program reads formats %d to %d: start the later one, or restore a backup of before into another directory", s.options.Dir, s.format, oldestFormat, format)
	case s.format < oldestFormat:
		return authz.Errorf(authz.FailedPrecondition, "the store in %s has format %d, and this program reads formats %d to %d: export it with the program that wrote it, and import that", s.options.Dir, s.format, oldestFormat, format)
	case s.format >= sealedFormat:
		s.sealedFrom.Store(item.Version())
	}
	_, err = readNumber(from, systemKey(systemFormat))
	return err
}

// Revisions are the oldest and the latest revision that can be read.
func (s *Store) Revisions() (oldest, latest uint64) {
	return s.floor.Load(), s.published.Load().revision
}

// Wait returns when the store has published a revision, with the context's
// error when that ends first, and with one of kind Unavailable when the store
// is closed.
func (s *Store) Wait(ctx context.Context, revision uint64) error {
	for {
		v := s.published.Load()
		if v.revision >= revision {
			return nil
		}
		select {
		case <-v.superseded:
		case <-s.closing:
			return errClosed
		case <-ctx.Done():
			return fmt.Errorf("waiting for revision %d, the directory is at %d: %w", revision, s.published.Load().revision, ctx.Err())
		}
	}
}

var errClosed = &authz.Error{Kind: authz.Unavailable, Message: "the directory is closed"}

// closeWait is how long Close waits for views that are open.
const closeWait = 10 * time.Second

// Close ends the writer, waits for the views that are open, and closes Badger.
// There are two cases in which it leaves Badger to the end of the process and
// reports that, and nothing is lost, as every acknowledged write is on disk.
// One is a view that stays open, since reading memory that is no longer mapped
// would end the process. The other is a commit that failed: Badger would write
// the half of it that is in memory into a table, while its log, read at the
// next start, is cut off before what has no end.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.closing)
		<-s.stopped
		s.keeping.Wait()
		if s.scrubbed != nil {
			<-s.scrubbed
		}
		if failed := s.failed.get(); failed != nil {
			s.closed = fmt.Errorf("closing the store: it is left as after a crash: %w", failed)
			return
		}
		for end := time.Now().Add(closeWait); s.openViews() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				s.closed = fmt.Errorf("closing the store: %d views of it are still open", s.openViews())
				return
			}
		}
		s.closed = errors.Join(s.closeAcknowledged(), s.blocks.close())
		if err := s.db.Close(); err != nil {
			s.closed = errors.Join(s.closed, fmt.Errorf("closing the store: %w", err))
		}
	})
	return s.closed
}

func appendNumber(n uint64) []byte { return binary.AppendUvarint(nil, n) }
