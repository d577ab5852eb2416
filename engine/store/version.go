package store

import (
	"maps"
	"math"
	"slices"
	"sync/atomic"

	"github.com/verdictpdp/verdict/api/authz"
)

// A version is a published revision. It is immutable but for its pins.
type version struct {
	revision uint64
	// epochs are the tenants' hierarchy epochs; a tenant that is not among
	// them has had no change since the store was opened.
	epochs map[string]uint64
	// opened is the revision at which the store was opened.
	opened uint64
	// pins are the views that read at this revision.
	pins atomic.Int64
	// superseded is closed when the next version is published.
	superseded chan struct{}
}

// epoch is the revision of the last change above a leaf of a tenant, as far as
// it is known: at opening every tenant's is taken to be the latest revision.
func (v *version) epoch(tenant string) uint64 {
	if epoch, known := v.epochs[tenant]; known {
		return epoch
	}
	return v.opened
}

// next makes the version that follows v. The epochs of the tenants in bumped
// become its revision.
func (v *version) next(revision uint64, bumped []string) *version {
	next := &version{revision: revision, epochs: v.epochs, opened: v.opened, superseded: make(chan struct{})}
	if len(bumped) > 0 {
		next.epochs = maps.Clone(v.epochs)
		for _, tenant := range bumped {
			next.epochs[tenant] = revision
		}
	}
	return next
}

// retired is the number of pins of a version that can no longer be pinned.
const retired = math.MinInt64 / 2

// pin keeps what the version reads from being discarded. It reports false for
// a version that is retired.
func (v *version) pin() bool {
	if v.pins.Add(1) > 0 {
		return true
	}
	v.pins.Add(-1)
	return false
}

// retire ends a version that no view reads at.
func (v *version) retire() bool { return v.pins.CompareAndSwap(0, retired) }

// pinLatest pins the published version. The decision path comes here, and so
// it takes no lock: a version that was superseded and retired since it was
// loaded is not the published one any more.
func (s *Store) pinLatest() *version {
	for {
		if v := s.published.Load(); v.pin() {
			return v
		}
	}
}

// pinAt pins a revision that is still kept.
func (s *Store) pinAt(revision uint64) (*version, error) {
	latest := s.published.Load()
	if revision == latest.revision && latest.pin() {
		return latest, nil
	}
	s.pinsMu.Lock()
	defer s.pinsMu.Unlock()
	if floor := s.floor.Load(); revision < floor || revision > latest.revision {
		return nil, authz.Errorf(authz.FailedPrecondition, "revision %d cannot be read: the directory keeps revisions %d to %d", revision, floor, latest.revision)
	}
	// The epoch at a past revision is known only if none has come since.
	epochs := make(map[string]uint64, len(latest.epochs))
	for tenant, epoch := range latest.epochs {
		if epoch > revision {
			epoch = 0
		}
		epochs[tenant] = epoch
	}
	opened := latest.opened
	if opened > revision {
		opened = 0
	}
	v := &version{revision: revision, epochs: epochs, opened: opened}
	v.pins.Store(1)
	s.retireUnpinned()
	s.pinned = append(s.pinned, v)
	return v, nil
}

// publish makes v the version that is read from now on.
func (s *Store) publish(v *version) {
	s.pinsMu.Lock()
	s.pinned = append(s.pinned, v)
	old := s.published.Swap(v)
	s.pinsMu.Unlock()
	if old != nil {
		close(old.superseded)
	}
}

// retireUnpinned retires the versions that no view reads at, except for the
// published one. Its caller holds pinsMu.
func (s *Store) retireUnpinned() {
	latest := s.published.Load()
	s.pinned = slices.DeleteFunc(s.pinned, func(v *version) bool { return v != latest && v.retire() })
}

// setFloor moves the floor up, and lets Badger discard what no view can read.
func (s *Store) setFloor(floor uint64) {
	s.pinsMu.Lock()
	defer s.pinsMu.Unlock()
	s.floor.Store(floor)
	s.retireUnpinned()
	if discard := s.discardable(); discard > 0 {
		s.db.SetDiscardTs(discard)
	}
}

// discardable is the revision below which nothing can be read, nor is being read.
// Its caller holds pinsMu.
func (s *Store) discardable() uint64 {
	discard := s.floor.Load()
	for _, v := range s.pinned {
		discard = min(discard, v.revision)
	}
	return discard
}

// openViews is how many views are open.
func (s *Store) openViews() int64 {
	s.pinsMu.Lock()
	defer s.pinsMu.Unlock()
	var pins int64
	for _, v := range s.pinned {
		pins += v.pins.Load()
	}
	return pins
}
