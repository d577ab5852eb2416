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
	most  = 2 * time.Second        // that changes without a pause can put the reading off
	again = 10 * time.Second       // until a bundle is read anew where changes cannot be watched
)

// Watch activates the bundles that have a path whenever something changes
// there, until ctx ends; then it returns nil. It reads every one of them once
// at the beginning, so that no change since the first activation is missed.
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
		_ = s.activate(ctx, slot) // its failure is in the status and the log
		if err == nil {
			changes.wait(ctx)
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
