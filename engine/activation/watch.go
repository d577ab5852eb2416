package activation

import (
	"context"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
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
// The error is of kind Unavailable where the system grants no watch at all.
// Where it stops granting them later, the log says so and the bundle is read
// every ten seconds until it does again.
func (s *Set) Watch(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, slot := range s.slots {
		if slot.Path != "" {
			group.Go(func() error { return s.watch(ctx, slot) })
		}
	}
	return group.Wait()
}

// watch sets its watches anew for each reading, before it: so directories that
// came or were replaced are watched, and no change falls between.
func (s *Set) watch(ctx context.Context, slot *slot) error {
	changes, err := watchPath(slot.Path)
	if err != nil {
		return err
	}
	for {
		_ = s.activate(ctx, slot) // the failure is in the status and the log
		if err != nil {
			s.logger.Warn("bundle cannot be watched, reading it every so often",
				zap.String("tenant", slot.Name), zap.Duration("interval", again), zap.Error(err))
			pause(ctx, again)
		} else {
			changes.wait(ctx)
			changes.close()
		}
		if ctx.Err() != nil {
			return nil
		}
		changes, err = watchPath(slot.Path)
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
