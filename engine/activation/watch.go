package activation

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// How changes of a bundle become an activation.
const (
	quiet = 200 * time.Millisecond // without a change before a bundle is read: one save is many changes
	most  = 30 * time.Second       // that changes without a pause can put the reading off: more than a copy takes
	retry = time.Minute            // until a bundle that failed is tried again: the machine may have been too busy
	again = 10 * time.Second       // until a bundle is read anew where changes cannot be watched
)

// Watch activates the bundles that have a path whenever something changes
// there, until ctx ends; then it returns nil. It reads every one of them once
// at the beginning, so that no change since the first activation is missed. A
// bundle that failed is tried again after a minute, changed or not.
//
// A bundle is read when nothing has been written to it for a moment. Files that
// are written one by one with longer pauses are read as they stand in between:
// whoever deploys puts a bundle in place at once, by renaming a directory or an
// archive, or by turning a link.
//
// Where the system grants no watch (on Linux, their number is bounded), the log
// says so, and the bundle is read every ten seconds until it does.
func (s *Set) Watch(ctx context.Context) error {
	var watching sync.WaitGroup
	for _, slot := range s.slots {
		if slot.Path != "" {
			watching.Go(func() { s.watch(ctx, slot) })
		}
	}
	watching.Wait()
	return nil
}

// watch sets its watches anew for each reading, before it: so directories that
// came or were replaced are watched, and no change falls between.
func (s *Set) watch(ctx context.Context, slot *slot) {
	for warned := false; ctx.Err() == nil; {
		changes, err := s.watchPath(slot.Path)
		failure := s.activate(ctx, slot) // it is in the status and the log
		if err == nil {
			changes.wait(ctx, failure != nil)
			changes.close()
			warned = false
			continue
		}
		if !warned {
			s.logger.Warn("bundle cannot be watched and is read every so often instead",
				zap.String("tenant", slot.Name), zap.Duration("interval", again), zap.Error(err))
			warned = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}
