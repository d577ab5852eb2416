package store

import (
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

// A fakeDisk has as much room as a test says.
type fakeDisk struct{ free atomic.Int64 }

func (d *fakeDisk) bytes(string) (int64, bool) { return d.free.Load(), true }

// TestFullDiskRefusesWrites has a disk fill up and be cleared again.
func TestFullDiskRefusesWrites(t *testing.T) {
	var d fakeDisk
	options := Options{Dir: t.TempDir(), Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)}
	d.free.Store(commitReserveBytes)
	s, err := open(options, d.bytes)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s)

	d.free.Store(commitReserveBytes - 1)
	wantError(t, put(t, s, nurse), authz.Unavailable, "is nearly full: 59 MiB are free, and 60 MiB are needed: free some space")
	wantError(t, s.Refused(), authz.Unavailable, "is nearly full")
	if holds(t, s, nurse) || !holds(t, s, mina) {
		t.Error("a full disk changes what is read")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	if s, err = open(options, d.bytes); err != nil {
		t.Fatal(err)
	}
	d.free.Store(2 * commitReserveBytes)
	if err := s.Refused(); err != nil {
		t.Error(err)
	}
	if err := put(t, s, nurse); err != nil || !holds(t, s, nurse) {
		t.Errorf("writing when there is room again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, s *Store, ref authz.EntityRef) bool {
	t.Helper()
	view, err := s.Latest(tenant)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	_, found, err := view.Entity(ref)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestFullDiskRefusesToOpen opens stores that would not fit.
func TestFullDiskRefusesToOpen(t *testing.T) {
	var d fakeDisk
	options := Options{Dir: t.TempDir(), Clock: time.Now, Logger: zaptest.NewLogger(t)}
	d.free.Store(openReserveBytes - 1)
	_, err := open(options, d.bytes)
	wantError(t, err, authz.Unavailable, "7 MiB are free, and 8 MiB are needed")

	// A log that was left becomes a table.
	killed := newStore(t, t.TempDir())
	fill(t, killed)
	copyStore(t, options.Dir, killed.options.Dir)
	d.free.Store(openReserveBytes + fullMemTableBytes - 1)
	_, err = open(options, d.bytes)
	wantError(t, err, authz.Unavailable, "59 MiB are free, and 60 MiB are needed: free some space and try again, or start from a copy of the store on another disk")
	d.free.Add(1)
	s, err := open(options, d.bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFullDiskEndsALoad has the disk fill up while a load reads.
func TestFullDiskEndsALoad(t *testing.T) {
	var d fakeDisk
	dir := filepath.Join(t.TempDir(), "store")
	site, err := newLoadSite(dir, zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	d.free.Store(openReserveBytes) // and nothing for what is loaded
	site.disk.free = d.bytes
	err = site.load(LoadOptions{Dir: dir, Now: time.Unix(1, 0), Logger: site.log}, tenant, readMina, verifyNothing)
	wantError(t, err, authz.Unavailable, "is nearly full")
	site.close()
	if err := load(t, dir, readMina); err != nil {
		t.Errorf("loading when there is room again: %v", err)
	}
}

// TestUnknownRoomIsNotRefused has a system that cannot tell.
func TestUnknownRoomIsNotRefused(t *testing.T) {
	unknown := disk{"somewhere", func(string) (int64, bool) { return 0, false }}
	if err := errors.Join(unknown.expectRoom(1), disk{}.expectRoom(1)); err != nil {
		t.Error(err)
	}
	if free, known := freeBytes(filepath.Join(t.TempDir(), "none")); known {
		t.Errorf("a directory that is not there has %d bytes", free)
	}
}
