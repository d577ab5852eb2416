package admission

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// checkHint holds that an error tells to come back after about so long: not before half
// of it, and not after as much again.
func checkHint(t *testing.T, err error, wait time.Duration) {
	t.Helper()
	hint := authz.RetryAfterOf(err)
	if authz.KindOf(err) != authz.Overloaded || hint < wait/2 || hint > wait*3/2 {
		t.Errorf("%v, again after %v: want Overloaded, and again after about %v", err, hint, wait)
	}
}

func TestHintFollowsTheWait(t *testing.T) {
	for _, tt := range []struct{ wait, want time.Duration }{
		{0, leastRetry},
		{leastRetry, leastRetry},
		{time.Second, time.Second},
		{mostRetry, mostRetry},
		{time.Hour, mostRetry},
	} {
		hints := map[time.Duration]bool{}
		for range 100 {
			err := overloaded(tt.wait)
			checkHint(t, err, tt.want)
			hints[authz.RetryAfterOf(err)] = true
		}
		if len(hints) < 2 {
			t.Errorf("for a wait of %v all are told to come back at one time", tt.wait)
		}
	}
}

// TestHintGrowsWithTheFlood has more and more come to a door than is answered.
func TestHintGrowsWithTheFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		door := running(t, map[string]int{"blue": 1})
		const answers = 100
		for _, times := range []int{2, 4, 12} {
			flooding := &flood{tenant: "blue", each: times * answers}
			serve(door, time.Second, answers, flooding)
			refused := time.Duration(times - 1) // for each that is answered
			hint := authz.RetryAfterOf(*door.refusal.Load())
			if least, most := refused*leastRetry*4/10, refused*leastRetry*16/10; hint < least || hint > most {
				t.Errorf("with %d times as many as are answered, those refused are to come again after %v, want %v to %v", times, hint, least, most)
			}
		}
	})
}

// TestHintGrowsWithTheLine has one be refused behind a short line and behind a long one.
func TestHintGrowsWithTheLine(t *testing.T) {
	const took = 10 * time.Millisecond
	for waiting, wait := range map[int]time.Duration{2: leastRetry, 50: 50 * took} {
		synctest.Test(t, func(t *testing.T) {
			turns := New(Options{Turns: 1, MaxWaiting: waiting})
			turns.checks.usual = took.Seconds()
			first := hold(t, turns)
			ctx, stop := context.WithCancel(t.Context())
			var asking sync.WaitGroup
			for range waiting {
				asking.Go(func() {
					if turn, err := turns.Check(ctx, "blue"); err == nil {
						turn.Release()
					}
				})
			}
			synctest.Wait()
			_, err := turns.Check(t.Context(), "blue")
			checkHint(t, err, wait)
			stop()
			asking.Wait()
			first.Release()
			settled(t, turns)
		})
	}
}

// TestHintOfWhoHasWaited has one be refused who has waited, since others have come after.
func TestHintOfWhoHasWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const waited = 800 * time.Millisecond
		turns := New(Options{Turns: 1})
		first := hold(t, turns)
		ended := make(chan error, 1)
		go func() {
			_, err := turns.Check(t.Context(), "blue")
			ended <- err
		}()
		synctest.Wait()
		var asking sync.WaitGroup
		for range short {
			asking.Go(func() {
				turn, err := turns.Check(t.Context(), "blue")
				if err != nil {
					t.Error(err)
				}
				turn.Release()
			})
		}
		time.Sleep(waited)
		first.Release()
		checkHint(t, <-ended, waited)
		asking.Wait()
		settled(t, turns)
	})
}
