package store

import (
	"context"
	"time"

	"github.com/dgraph-io/badger/v4/table"
)

// What nobody reads, no read finds to be damaged. So the tables are verified again from
// time to time, as when the store was opened.
const (
	scrubEvery = 10 * time.Minute
	// scrubPerSecond is how many bytes a second are read: some thousandths of a
	// processor's time, and of what a disk reads.
	scrubPerSecond = 4 << 20
)

// scrubbing verifies the tables again and again, until the store is closed.
func (s *Store) scrubbing() {
	defer close(s.scrubbed)
	ctx, cancel := s.untilClosing()
	defer cancel()
	for pause(ctx, scrubEvery) {
		// What it finds is noted, and what it cannot read it reads the next time.
		_ = s.scrub(ctx, scrubPerSecond)
	}
}

// untilClosing is a context that ends when Close begins. Cancel must be called.
func (s *Store) untilClosing() (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(context.Background())
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// scrub verifies the tables that there are, at so many bytes a second; 0 is as
// fast as the store's pace lets it. The first that is damaged is an error, which is noted.
func (s *Store) scrub(ctx context.Context, perSecond int64) error {
	if s.disk.dir == "" {
		return nil
	}
	work := s.options.Pace.Begin()
	for _, info := range s.db.Tables() {
		_, err := verifyTable(table.NewFilename(info.ID, s.disk.dir), func() error { return work.Rest(ctx) })
		switch {
		case err == nil:
		case !s.hasTable(info.ID):
			continue // merged into others meanwhile, and cut off before it is removed
		default:
			if isDamage(err) {
				s.noteDamage(err)
			}
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if perSecond > 0 && !pause(ctx, time.Duration(info.OnDiskSize)*time.Second/time.Duration(perSecond)) {
			return ctx.Err()
		}
	}
	return nil
}

func (s *Store) hasTable(id uint64) bool {
	for _, info := range s.db.Tables() {
		if info.ID == id {
			return true
		}
	}
	return false
}

// pause waits, and reports false where the context ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
