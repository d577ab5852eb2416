package activation

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/policy/bundle"
)

// An at is a change at a name, so long after the beginning.
type at struct {
	after time.Duration
	name  string
}

func TestWaitUntilAChangeHasSettled(t *testing.T) {
	const path = "/srv/policies"
	const busyTime = most + 10*time.Second
	var busy, logging []at
	for after := time.Duration(0); after < busyTime; after += quiet / 2 {
		busy = append(busy, at{after, path + "/data.json"})
		logging = append(logging, at{after, path + "/log"})
	}
	logging = append(logging, at{busyTime, path + "/data.json"})
	copied := busy[:len(busy)/4]
	for _, c := range []struct {
		name    string
		changes []at
		want    time.Duration
	}{
		{"a change of the path itself", []at{{0, path}}, quiet},
		{"a bundle that is copied file by file", copied, copied[len(copied)-1].after + quiet},
		{"what is written into files that do not count", logging, busyTime + quiet},
		{"a change below it", []at{{0, path + "/hr/salary.rego"}}, quiet},
		{"a change above it", []at{{0, "/srv"}}, quiet},
		{"several changes of one save", []at{{0, path + "/a.rego"}, {quiet / 2, path + "/b.rego"}, {quiet, path + "/a.rego"}}, 2 * quiet},
		{"changes without a pause", busy, most},
		{"changes that do not concern it", []at{{0, "/srv/policies.bak"}, {time.Second, "/srv/other"}, {2 * time.Second, path}}, 2*time.Second + quiet},
		{"events that were lost", []at{{time.Second, ""}}, time.Second + quiet},
		{"no change until the end", nil, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				events, lost := make(chan fsnotify.Event, len(c.changes)), make(chan error, len(c.changes))
				watched := &changes{path: path, watcher: &fsnotify.Watcher{Events: events, Errors: lost}}
				start := time.Now()
				var changing sync.WaitGroup
				defer changing.Wait()
				changing.Go(func() {
					for _, change := range c.changes {
						time.Sleep(time.Until(start.Add(change.after)))
						if change.name == "" {
							lost <- fsnotify.ErrEventOverflow
						} else {
							events <- fsnotify.Event{Name: change.name, Op: fsnotify.Write}
						}
					}
				})
				watched.wait(ctx, false)
				if got := time.Since(start); got != c.want {
					t.Errorf("waited for %s, want %s", got, c.want)
				}
			})
		})
	}
}

func TestWaitAfterAFailure(t *testing.T) {
	const path = "/srv/policies"
	for _, c := range []struct {
		name    string
		changed time.Duration
		want    time.Duration
	}{
		{"without a change", time.Hour, retry},
		{"with a change shortly before", retry - quiet/2, retry + quiet/2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				events := make(chan fsnotify.Event, 1)
				var changing sync.WaitGroup
				changing.Go(func() {
					select {
					case <-time.After(c.changed):
						events <- fsnotify.Event{Name: path, Op: fsnotify.Write}
					case <-ctx.Done():
					}
				})
				start := time.Now()
				(&changes{path: path, watcher: &fsnotify.Watcher{Events: events}}).wait(ctx, true)
				if got := time.Since(start); got != c.want {
					t.Errorf("waited for %s, want %s", got, c.want)
				}
				cancel()
				changing.Wait()
			})
		})
	}
}

func TestWatchReadsEverySoOftenWhereNothingCanBeWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		core, logs := observer.New(zapcore.WarnLevel)
		set := New(Options{
			Tenants: []Tenant{{Name: "workforce", Path: "policies", Load: func(func()) (*bundle.Bundle, error) {
				reads++
				return bundle.ReadFS(fstest.MapFS{}, ".")
			}}},
			Logger: zap.New(core),
			Clock:  time.Now,
		})
		set.watchPath = func(string) (*changes, error) { return nil, errors.New("no watches left") }
		ctx, cancel := context.WithTimeout(t.Context(), 3*again-1)
		defer cancel()

		if err := set.Watch(ctx); err != nil {
			t.Error(err)
		}
		if reads != 3 {
			t.Errorf("the bundle was read %d times, want at 0, 10 and 20 seconds", reads)
		}
		if n := logs.FilterMessageSnippet("cannot be watched").Len(); n != 1 {
			t.Errorf("%d warnings in the log, want 1: %v", n, logs.All())
		}
	})
}
