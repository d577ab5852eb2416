package directory

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/store"
)

// DefaultRetention is how long past revisions are kept where nothing else is
// said.
const DefaultRetention = 24 * time.Hour

// Options say where a directory is kept and whom it serves.
type Options struct {
	// Dir is the directory of the store, made if it is not there. Empty means
	// in memory: nothing is kept.
	Dir string
	// Tenants are the tenants that are served. Others that the store may hold
	// cannot be reached.
	Tenants []string
	// Retention is how long a past revision can be read and watched from, at
	// least. 0 means DefaultRetention.
	Retention time.Duration
	// Audit is how long it is kept who changed what: at least as long as the
	// revisions are. 0 means as long as they are.
	Audit time.Duration
	// AuditBytes is about how many bytes of that are kept, beside what belongs to
	// revisions that can be read: what is more goes from the oldest on. 0 means any
	// number.
	AuditBytes int64
	// LowMemory has the directory take a third of the memory while it is written to. A
	// batch may be a third as large then.
	LowMemory bool
	// Housekeeping is how often it is looked whether past revisions have left the
	// retention while nobody writes; 0 means never.
	Housekeeping time.Duration
	// Pace is kept to by imports, exports, backups and checks. Nil never rests.
	Pace *background.Pace
	// Clock is the time of commits; nil means the system's.
	Clock func() time.Time
	// Logger hears what goes wrong out of a caller's sight; nil means nobody.
	Logger *zap.Logger
	// OnCommit, if set, is called for each tenant that a commit changed, after
	// the commit is on disk and before any snapshot shows it. Changed are the
	// entities whose record or own grants changed. It is not called by two
	// commits at once.
	OnCommit func(tenant string, revision uint64, changed []authz.EntityRef)
	// Committed, if set, is told how long each commit took to come to the disk, and
	// why it did not.
	Committed func(took time.Duration, err error)
	// Guard, if set, says which writes may not be made.
	Guard Guard
}

// A Directory is an open directory. It is safe for use by many goroutines.
type Directory struct {
	store   *store.Store
	pace    *background.Pace
	tenants []string
	guard   Guard
	// unrecorded is what waits to be recorded of the tenants' policies.
	unrecorded unrecordedPolicies
	// reading holds one element for each step of an export or a watch that is being read.
	// A step takes some MiB while it is, and there may be thousands of them.
	reading chan struct{}
	// rehearsed is how many bytes the validations that run remember.
	rehearsed atomic.Int64
}

// Open opens a directory, and makes it where there is none. Close must be
// called.
//
// A directory that another process has open is an error of kind Unavailable,
// which says so.
func Open(o Options) (*Directory, error) {
	if len(o.Tenants) == 0 {
		return nil, authz.Errorf(authz.Invalid, "the directory has no tenants: name at least one")
	}
	for _, tenant := range o.Tenants {
		if err := authz.ValidateTenant(tenant); err != nil {
			return nil, err
		}
	}
	if o.Retention < 0 {
		return nil, authz.Errorf(authz.Invalid, "the retention %s is negative: expected how long past revisions are kept", o.Retention)
	}
	if o.Audit < 0 {
		return nil, authz.Errorf(authz.Invalid, "the audit %s is negative: expected how long it is kept who changed what", o.Audit)
	}
	s, err := store.Open(storeOptions(o))
	if err != nil {
		return nil, err
	}
	return &Directory{store: s, pace: o.Pace, tenants: slices.Sorted(slices.Values(o.Tenants)), guard: o.Guard, reading: make(chan struct{}, readingAtOnce)}, nil
}

// readingAtOnce is how many steps of exports and watches are read at a time.
const readingAtOnce = 8

func storeOptions(o Options) store.Options {
	so := store.Options{Dir: o.Dir, Retention: o.Retention, Housekeeping: o.Housekeeping, Audit: o.Audit, AuditBytes: o.AuditBytes, LowMemory: o.LowMemory, Pace: o.Pace, Clock: o.Clock, Logger: o.Logger, OnCommit: o.OnCommit, Committed: o.Committed}
	if so.Retention == 0 {
		so.Retention = DefaultRetention
	}
	if so.Clock == nil {
		so.Clock = time.Now
	}
	if so.Logger == nil {
		so.Logger = zap.NewNop()
	}
	return so
}

// Close ends writing, waits a bounded time for the snapshots that are open,
// and closes the store.
func (d *Directory) Close() error { return d.store.Close() }

// CloseUnused closes a directory that was opened for nothing, as by a server that could
// not start: one that Open has made, and that nobody has written to, is removed.
func (d *Directory) CloseUnused() error { return d.store.CloseUnused() }

// Tenants are the tenants that are served, sorted.
func (d *Directory) Tenants() []string { return slices.Clone(d.tenants) }

// Revisions are the oldest revision that can be read and the latest.
func (d *Directory) Revisions() (oldest, latest uint64) { return d.store.Revisions() }

// Housekeeping is what was done about what need not be kept, since the directory
// was opened.
func (d *Directory) Housekeeping() store.Housekeeping { return d.store.Housekeeping() }

// Snapshot reads a tenant as consistency asks for. Close must be called on it.
//
// Waiting for a revision ends with the context; an exact revision that is not
// kept is an error of kind FailedPrecondition that names those that are; an
// unknown tenant is one of kind NotFound.
func (d *Directory) Snapshot(ctx context.Context, tenant string, c authz.Consistency) (*Snapshot, error) {
	tenant, err := d.served(tenant)
	if err != nil {
		return nil, err
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.AtLeast > 0 {
		if err := d.store.Wait(ctx, c.AtLeast); err != nil {
			return nil, err
		}
	}
	if c.Exact > 0 {
		return newSnapshot(d.store.At(tenant, c.Exact))
	}
	return newSnapshot(d.store.Latest(tenant))
}

// readOn is a snapshot of the revision that a long read has begun at. It is
// opened for each part, so that waiting in between keeps no old versions; if
// that takes longer than revisions are kept, the error is of kind
// FailedPrecondition.
func (d *Directory) readOn(tenant string, revision uint64) (*Snapshot, error) {
	snapshot, err := newSnapshot(d.store.At(tenant, revision))
	if authz.KindOf(err) == authz.FailedPrecondition {
		return nil, authz.Errorf(authz.FailedPrecondition, "reading went on for longer than past revisions are kept: %w; begin again", err)
	}
	return snapshot, err
}

// served is the name of a tenant that is served, as it was configured: a caller's may
// be a part of a whole request, which whoever keeps the name would keep with it.
func (d *Directory) served(tenant string) (name string, err error) {
	at, found := slices.BinarySearch(d.tenants, tenant)
	if !found {
		return "", authz.Errorf(authz.NotFound, "unknown tenant %s: see tenants in the server's configuration", authz.Quote(tenant))
	}
	return d.tenants[at], nil
}
