package store

import (
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// What has left its window goes with each commit. Where nobody writes, the store
// commits by itself, as often as Options.Housekeeping says, and when nothing has
// been written for as long as revisions are kept, it merges its tables once, so
// that what cannot be read any more does not stay on disk either. Badger does that
// by itself only where more is written: it counts deletions as what is not needed,
// and not versions that others have replaced. What is still in memory, a table at
// most, stays, and so does what lies in level zero alone. Its value log needs no collection,
// for it is empty: the largest value lies beside its key.
const (
	// busyHousekeeping is how soon there is another commit where one was not enough.
	busyHousekeeping = 100 * time.Millisecond
	// minMergeBytes is from how much on tables are worth a merge.
	minMergeBytes = 16 << 20
)

// A Housekeeping is what a store did about what it need not keep, since it was
// opened.
type Housekeeping struct {
	// Expired is how many revisions have left the retention, and ExpiredAt when the
	// last of them did; the zero time where none has.
	Expired   uint64
	ExpiredAt time.Time
	// Merges is how often the tables were merged because nobody wrote, MergedAt
	// when that was last, and Reclaimed how many bytes it gave back.
	Merges    uint64
	MergedAt  time.Time
	Reclaimed uint64
}

// A housekeeper keeps the books.
type housekeeper struct {
	expired, merges, reclaimed atomic.Uint64
	expiredAt, mergedAt        atomic.Int64 // in nanoseconds since 1970; 0 for never
	merging                    atomic.Bool
	merged                     atomic.Uint64 // the floor when the tables were merged last
}

// Housekeeping is what the store did so far.
func (s *Store) Housekeeping() Housekeeping {
	at := func(nanoseconds int64) time.Time {
		if nanoseconds == 0 {
			return time.Time{}
		}
		return time.Unix(0, nanoseconds).UTC()
	}
	k := &s.keeper
	return Housekeeping{
		Expired: k.expired.Load(), ExpiredAt: at(k.expiredAt.Load()),
		Merges: k.merges.Load(), MergedAt: at(k.mergedAt.Load()), Reclaimed: k.reclaimed.Load(),
	}
}

// keepHouse does what is to be done while nobody writes, and says in how long to
// look again. It is the writer's.
func (w *writer) keepHouse() time.Duration {
	s := w.store
	if w.current != nil || len(w.waiting) > 0 || s.refusal() != nil {
		return s.options.Housekeeping
	}
	now := s.options.Clock()
	due := s.due(now)
	s.tellRecords()
	switch {
	case due:
		// A group without members: its revision changes nobody.
		c, err := s.begin(newGroup(w.size))
		if err != nil {
			s.options.Logger.Warn("what has left the retention cannot be discarded", zap.Error(err))
			return s.options.Housekeeping
		}
		w.current = c
		return min(busyHousekeeping, s.options.Housekeeping)
	case s.mergeable(now):
		s.keeper.merging.Store(true)
		s.keeping.Go(s.merge)
	}
	return s.options.Housekeeping
}

// due reports whether something has left its window that a commit would discard.
// That of a commit which was for that alone is not worth another: there would be
// no end.
func (s *Store) due(now time.Time) bool {
	latest := s.published.Load().revision
	s.ageing.note(now, latest, s.options.Retention)
	left := func(e expiring, window time.Duration, excess uint64) bool {
		return e.revision != 0 && (e.revision != latest || s.wrote == latest) && (e.revision <= excess || s.ageing.left(now, window)(e.revision, e.time))
	}
	return left(s.expiring, s.options.Retention, 0) ||
		left(s.unaudit, max(s.options.Audit, s.options.Retention), min(s.excess(), s.floor.Load()))
}

// mergeable reports whether the tables have something to give back, and nobody
// has written for so long that it is not done sooner by what is written.
func (s *Store) mergeable(now time.Time) bool {
	k := &s.keeper
	if s.disk.dir == "" || k.merging.Load() || s.floor.Load() <= k.merged.Load() || !s.ageing.left(now, s.options.Retention)(s.wrote, s.wroteAt) {
		return false
	}
	var all, lowest int64
	for _, level := range s.db.Levels() {
		all += level.Size
		if level.Size > 0 {
			lowest = level.Size
		}
	}
	// What is merged is written anew before it is removed. All that is in one level
	// Badger takes for merged, be it the first.
	return all-lowest >= minMergeBytes && s.disk.expectRoom(commitReserveBytes+all) == nil
}

// merge merges all tables into the lowest level that has any, which leaves out what cannot be
// read. Reading and writing go on.
func (s *Store) merge() {
	k := &s.keeper
	defer k.merging.Store(false)
	floor, before := s.floor.Load(), s.Sizes().Tables
	if err := s.db.Flatten(1); err != nil {
		s.options.Logger.Warn("the store's tables cannot be merged", zap.Error(err))
		return
	}
	k.merged.Store(floor)
	k.merges.Add(1)
	k.mergedAt.Store(s.options.Clock().UnixNano())
	k.reclaimed.Add(uint64(max(0, before-s.Sizes().Tables)))
}

// expiredTo notes that the floor moves.
func (s *Store) expiredTo(floor uint64, now time.Time) {
	if before := s.floor.Load(); floor > before {
		s.keeper.expired.Add(floor - before)
		s.keeper.expiredAt.Store(now.UnixNano())
	}
}
