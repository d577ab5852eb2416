package admission

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// settled holds that no turn is taken and nobody waits.
func settled(t *testing.T, turns *Turns) {
	t.Helper()
	turns.mu.Lock()
	defer turns.mu.Unlock()
	if state := turns.state.Load(); state != 0 || turns.long != 0 || turns.checks.count != 0 || turns.longs.count != 0 {
		t.Errorf("in the end the state is %x, %d turns are of long work, and %d checks and %d others wait", state, turns.long, turns.checks.count, turns.longs.count)
	}
}

// hold takes a turn of a check, which must be free.
func hold(t *testing.T, turns *Turns) *Turn {
	t.Helper()
	turn, err := turns.Check(t.Context(), "held")
	if err != nil {
		t.Fatal(err)
	}
	return &turn
}

func TestReleasedTwiceIsReleasedOnce(t *testing.T) {
	turns := New(Options{Turns: 2})
	first, second := hold(t, turns), hold(t, turns)
	first.Release()
	first.Release()
	if taken := turns.state.Load(); taken != 1 {
		t.Errorf("%d turns are taken, want 1", taken)
	}
	second.Release()
	settled(t, turns)
}

func TestWithoutTurnsNobodyWaits(t *testing.T) {
	var turns *Turns
	for range 100 {
		check, err := turns.Check(t.Context(), "blue")
		if err != nil {
			t.Fatal(err)
		}
		long, err := turns.Long(t.Context(), "blue")
		if err != nil || long.Yield(t.Context(), "blue") != nil {
			t.Fatal(err)
		}
		check.Release()
	}
}

// TestTenantsShareByTheirWeights has one tenant ask for far more than another, before
// it, and looks at who is served while both wait.
func TestTenantsShareByTheirWeights(t *testing.T) {
	tests := []struct {
		name    string
		weights map[string]int
		took    map[string]time.Duration // for each turn
		want    float64                  // of the turns' time for workforce
	}{
		{"alike", nil, nil, 0.5},
		{"one weighs three times as much", map[string]int{"workforce": 3}, nil, 0.75},
		{"one takes four times as long", nil, map[string]time.Duration{"customer": 200 * time.Microsecond}, 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				turns := New(Options{Turns: 1, Weights: tt.weights})
				first := hold(t, turns)
				var asking sync.WaitGroup
				had := map[string]time.Duration{} // by whoever has the turn
				left := map[string]int{"customer": 400, "workforce": 100}
				var share float64
				ask := func(tenant string) {
					turn, err := turns.Check(t.Context(), tenant)
					if err != nil {
						t.Error(err)
						return
					}
					took := 50 * time.Microsecond
					if other, is := tt.took[tenant]; is {
						took = other
					}
					time.Sleep(took)
					had[tenant] += took
					if left[tenant]--; tenant == "workforce" && left[tenant] == 10 {
						share = had["workforce"].Seconds() / (had["workforce"] + had["customer"]).Seconds()
					}
					turn.Release()
				}
				for _, tenant := range []string{"customer", "workforce"} {
					for range left[tenant] {
						asking.Go(func() { ask(tenant) })
					}
					synctest.Wait()
				}
				first.Release()
				asking.Wait()
				if share < tt.want-0.05 || share > tt.want+0.05 {
					t.Errorf("workforce had %.2f of the time while both waited, want about %.2f", share, tt.want)
				}
				settled(t, turns)
			})
		})
	}
}

// TestSlowEvaluationsOfOneTenantDelayOthersByOne has one tenant keep all turns busy with
// slow evaluations, and another ask for a few quick checks at a time. Those wait for the
// first turn that is released, and have it one after the other, once it is known how slow
// the others are.
func TestSlowEvaluationsOfOneTenantDelayOthersByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow, quick, few = 100 * time.Millisecond, 50 * time.Microsecond, 10
		turns := New(Options{Turns: 4})
		ctx, stop := context.WithCancel(t.Context())
		var flooding sync.WaitGroup
		for range 100 {
			flooding.Go(func() {
				for ctx.Err() == nil {
					took := slow
					turn, err := turns.Check(ctx, "customer")
					if err != nil { // as many are, of so many
						took = time.Millisecond
					}
					time.Sleep(took)
					turn.Release()
				}
			})
		}
		time.Sleep(5 * slow)
		for range 30 {
			time.Sleep(37 * time.Millisecond)
			start := time.Now()
			var asking sync.WaitGroup
			for range few {
				asking.Go(func() {
					turn, err := turns.Check(t.Context(), "workforce")
					if err != nil {
						t.Errorf("after %v: %v", time.Since(start), err)
					}
					time.Sleep(quick)
					turn.Release()
				})
			}
			asking.Wait()
			if took := time.Since(start); took > slow+few*quick {
				t.Errorf("%d checks took %v beside another tenant's, want at most %v", few, took, slow+few*quick)
			}
		}
		stop()
		flooding.Wait()
		settled(t, turns)
	})
}

func TestWhatWouldBeLateIsRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := New(Options{Turns: 1})
		first := hold(t, turns)
		var asking sync.WaitGroup
		for range 1000 { // of 50 µs each, until it is known better
			asking.Go(func() {
				if turn, err := turns.Check(t.Context(), "blue"); err == nil {
					turn.Release()
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := turns.Check(ctx, "blue")
		if authz.KindOf(err) != authz.Overloaded || authz.RetryAfterOf(err) <= 0 || time.Since(start) != 0 {
			t.Errorf("after %v: %v, again after %v; want Overloaded at once, and when to try again", time.Since(start), err, authz.RetryAfterOf(err))
		}
		// Others are not in the way of a tenant that has its share.
		asking.Go(func() {
			turn, err := turns.Check(ctx, "red")
			if err != nil {
				t.Errorf("another tenant: %v", err)
			}
			turn.Release()
		})
		synctest.Wait()
		first.Release()
		asking.Wait()
		settled(t, turns)
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 10
		turns := New(Options{Turns: 1, MaxWaiting: most})
		first := hold(t, turns)
		var asking sync.WaitGroup
		for range most {
			asking.Go(func() {
				turn, err := turns.Check(t.Context(), "blue")
				if err != nil {
					t.Error(err)
				}
				turn.Release()
			})
		}
		synctest.Wait()
		if _, err := turns.Check(t.Context(), "blue"); authz.KindOf(err) != authz.Overloaded {
			t.Errorf("one more than may wait: %v, want Overloaded", err)
		}
		first.Release()
		asking.Wait()
		settled(t, turns)
	})
}

func TestNobodyWaitsLongerThanTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := New(Options{Turns: 1, MaxWait: 300 * time.Millisecond})
		first := hold(t, turns)
		start := time.Now()
		_, err := turns.Check(t.Context(), "blue")
		if took := time.Since(start); authz.KindOf(err) != authz.Overloaded || took != 300*time.Millisecond {
			t.Errorf("after %v: %v, want Overloaded after 300ms", took, err)
		}
		checkHint(t, err, 300*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := turns.Check(ctx, "blue"); authz.KindOf(err) != authz.Overloaded && authz.KindOf(err) != authz.DeadlineExceeded {
			t.Errorf("at the caller's deadline: %v", err)
		}
		gone, giveUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, giveUp)
		if _, err := turns.Check(gone, "blue"); authz.KindOf(err) != authz.Canceled {
			t.Errorf("a caller that gives up: %v, want Canceled", err)
		}
		first.Release()
		settled(t, turns)
	})
}

// TestStandingQueueServesWhoHaveJustCome offers twice of what can be done, for long.
func TestStandingQueueServesWhoHaveJustCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const took = 100 * time.Microsecond
		turns := New(Options{Turns: 1})
		var asking sync.WaitGroup
		var mu sync.Mutex // of what follows
		var served, refused int
		var longest time.Duration
		begin := time.Now()
		const over = 500 * time.Millisecond
		for time.Since(begin) < over {
			asking.Go(func() {
				start := time.Now()
				turn, err := turns.Check(t.Context(), "blue")
				if err != nil {
					if authz.KindOf(err) != authz.Overloaded {
						t.Error(err)
					}
					mu.Lock()
					defer mu.Unlock()
					refused++
					return
				}
				waited := time.Since(start)
				time.Sleep(took)
				turn.Release()
				mu.Lock()
				defer mu.Unlock()
				if served++; start.Sub(begin) > over/2 {
					longest = max(longest, waited)
				}
			})
			synctest.Wait()
			time.Sleep(took / 2)
		}
		asking.Wait()
		if most := int(over / took); served < most*9/10 {
			t.Errorf("%d were served, of %d that could be", served, most)
		}
		if refused == 0 || longest > 2*stale {
			t.Errorf("%d were refused, and one that was served had waited %v, want no more than %v or so", refused, longest, stale)
		}
		settled(t, turns)
	})
}

// TestMomentWithoutProcessor has turns given back by nobody for a while: the few who wait
// are served all the same, and of many those who have just come.
func TestMomentWithoutProcessor(t *testing.T) {
	for _, tt := range []struct {
		name             string
		waiting, refused int
	}{
		{"one", 1, 0},
		{"few", short, 0},
		{"one more", short + 1, 1},
		{"many", 10 * short, 9 * short},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				turns := New(Options{Turns: 1})
				held, err := turns.Check(t.Context(), "blue")
				if err != nil {
					t.Fatal(err)
				}
				var refused atomic.Int64
				var asking sync.WaitGroup
				for range tt.waiting {
					asking.Go(func() {
						turn, err := turns.Check(t.Context(), "blue")
						if err != nil {
							refused.Add(1)
						}
						turn.Release()
					})
				}
				synctest.Wait()
				time.Sleep(2 * standing)
				held.Release()
				asking.Wait()
				if n := int(refused.Load()); n != tt.refused {
					t.Errorf("of %d who waited, %d were refused, want %d", tt.waiting, n, tt.refused)
				}
				settled(t, turns)
			})
		})
	}
}

// TestLongWorkLetsChecksGoFirst has long work beside checks.
func TestLongWorkLetsChecksGoFirst(t *testing.T) {
	const piece, check = 200 * time.Microsecond, 100 * time.Microsecond
	tests := []struct {
		name   string
		checks int // of three that there would be time for
		// longest is how long a check may wait, zero for any time; least and most are
		// what long work comes to, of what it does alone.
		longest     time.Duration
		least, most float64
	}{
		{"time is left", 2, 2*piece + 2*check, 0.2, 0.5},
		{"no time is left", 3, 0, 0.05, 0.25},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				turns := New(Options{Turns: 1})
				ctx, stop := context.WithCancel(t.Context())
				var working sync.WaitGroup
				var pieces atomic.Int64
				working.Go(func() {
					turn, err := turns.Long(ctx, "blue")
					for err == nil {
						time.Sleep(piece)
						pieces.Add(1)
						err = turn.Yield(ctx, "blue")
					}
					turn.Release()
				})
				var longest atomic.Int64
				const over = 90 * time.Millisecond // in which no queue is standing
				for begin := time.Now(); time.Since(begin) < over; {
					for range tt.checks {
						working.Go(func() {
							start := time.Now()
							turn, err := turns.Check(t.Context(), "red")
							if err != nil {
								t.Error(err)
								return
							}
							longest.Store(max(longest.Load(), int64(time.Since(start)))) // by whoever has the turn
							time.Sleep(check)
							turn.Release()
						})
					}
					time.Sleep(3 * check)
				}
				if share := float64(pieces.Load()) / float64(over/piece); share < tt.least || share > tt.most {
					t.Errorf("long work came to %.2f of what it does alone, want %.2f to %.2f", share, tt.least, tt.most)
				}
				stop()
				working.Wait()
				if waited := time.Duration(longest.Load()); tt.longest > 0 && waited > tt.longest {
					t.Errorf("a check waited %v beside long work with pieces of %v", waited, piece)
				}
				settled(t, turns)
			})
		})
	}
}

// Long work has no more than its part of the turns, even where the others are free.
func TestLongWorkLeavesTurnsFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := New(Options{Turns: 4, Long: 2})
		var taken []*Turn
		for range 2 {
			turn, err := turns.Long(t.Context(), "blue")
			if err != nil {
				t.Fatal(err)
			}
			taken = append(taken, &turn)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := turns.Long(ctx, "red"); err == nil {
			t.Error("more long work has a turn than may")
		}
		if _, more := turns.Another("blue"); more {
			t.Error("long work has another turn beyond those that it may")
		}
		taken = append(taken, hold(t, turns), hold(t, turns))
		for _, turn := range taken {
			turn.Release()
		}
		settled(t, turns)
	})
}

// TestTurnsNeverLeak takes, yields, gives up and releases at random, and holds that
// never too many have a turn, and none in the end.
func TestTurnsNeverLeak(t *testing.T) {
	seeds := uint64(20)
	if testing.Short() { // as with the race detector
		seeds = 5
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			limit := 1 + random.IntN(4)
			turns := New(Options{Turns: limit, Long: 1 + random.IntN(limit), MaxWait: 5 * time.Millisecond, MaxWaiting: 20, Weights: map[string]int{"a": 3}})
			var working sync.WaitGroup
			var evaluating, most atomic.Int64
			for range 300 {
				tenant, long := string(rune('a'+random.IntN(3))), random.IntN(3) == 0
				late, took, rounds := time.Duration(random.IntN(20_000))*time.Microsecond, time.Duration(random.IntN(400))*time.Microsecond, random.IntN(4)
				patience, another := time.Duration(random.IntN(4_000))*time.Microsecond, random.IntN(2) == 0
				work := func() {
					most.Store(max(most.Load(), evaluating.Add(1)))
					time.Sleep(took)
					evaluating.Add(-1)
				}
				working.Go(func() {
					time.Sleep(late)
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					take := turns.Check
					if long {
						take = turns.Long
					}
					turn, err := take(ctx, tenant)
					if err != nil {
						return
					}
					defer func() { turn.Release() }()
					if another {
						if further, free := turns.Another(tenant); free {
							working.Go(func() {
								defer further.Release()
								work()
							})
						}
					}
					work()
					for range rounds {
						if turn.Yield(ctx, tenant) != nil {
							return
						}
						work()
					}
				})
			}
			working.Wait()
			if most.Load() > int64(limit) || most.Load() == 0 {
				t.Errorf("seed %d: %d had a turn at a time, of %d", seed, most.Load(), limit)
			}
			settled(t, turns)
		})
	}
}

func BenchmarkCheck(b *testing.B) {
	turns := New(Options{})
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			turn, _ := turns.Check(b.Context(), "blue")
			turn.Release()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				turn, _ := turns.Check(context.Background(), "blue")
				turn.Release()
			}
		})
	})
}
