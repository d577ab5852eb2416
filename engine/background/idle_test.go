package background

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func newIdle(t *testing.T) *Idle {
	t.Helper()
	i, err := NewIdle()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

// TestIdleLetsOthersGoFirst has others come on again and again, for less than the ten
// milliseconds after which the scheduler looks at the network in any case. That may pass
// where the machine is busy, so that one of some tries has to do.
func TestIdleLetsOthersGoFirst(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	i := newIdle(t)
	var most int64
	for range 50 {
		var done atomic.Int64
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 10 {
					for from := time.Now(); time.Since(from) < 10*time.Microsecond; {
					}
					done.Add(1)
					runtime.Gosched()
				}
			})
		}
		i.Wait()
		most = max(most, done.Load())
		all.Wait()
		if most == 100 {
			return
		}
	}
	t.Errorf("%d of 100 that could go on did at most, before one that waits for an idle processor", most)
}

func TestIdleGoesOnBesideWhatNeverEnds(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	i := newIdle(t)
	var ended atomic.Bool
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for !ended.Load() {
				runtime.Gosched()
			}
		})
	}
	waited := make(chan int)
	go func() {
		most := 0
		for range 20 {
			most = max(most, i.Wait())
		}
		waited <- most
	}()
	select {
	case most := <-waited:
		if most < 2 {
			t.Error("who waits long has one turn, want several")
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for as long as others come")
	}
	ended.Store(true)
	all.Wait()
}

func TestIdleLetsEachGo(t *testing.T) {
	i := newIdle(t)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 10 {
				i.Wait()
			}
		})
	}
	all.Wait()
	i.mu.Lock()
	defer i.mu.Unlock()
	if n := len(i.waiting); n != 0 {
		t.Errorf("%d wait when all went on", n)
	}
}

// TestWorkGoesOnWhenAProcessorIsIdle has work rest once, whose place in the line is seen
// by another who comes after it.
func TestWorkGoesOnWhenAProcessorIsIdle(t *testing.T) {
	i := newIdle(t)
	passed := make(chan struct{})
	w := New(func() bool { return true }, fully(), i).Begin()
	i.mu.Lock() // nobody gets in line, or out of it
	go func() {
		defer close(passed)
		for from := time.Now(); time.Since(from) < look+piece; {
			runtime.Gosched()
		}
		if err := w.Rest(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-passed:
		t.Error("work goes on without a processor that is idle")
	case <-time.After(10 * mostRest):
	}
	i.mu.Unlock()
	<-passed
}

// TestWorkDoesNotWaitForAllWhoWait has work rest behind more than are let go at a time, all
// of whom wait on.
func TestWorkDoesNotWaitForAllWhoWait(t *testing.T) {
	i := &Idle{asked: make(chan struct{}, 1)} // which lets nobody go by itself
	const others = 1_000
	for range others {
		i.waiting = append(i.waiting, make(chan int, 1))
	}
	w := New(func() bool { return true }, fully(), i).Begin()
	passed := make(chan error)
	go func() {
		for from := time.Now(); time.Since(from) < look+piece; {
			runtime.Gosched()
		}
		passed <- w.Rest(t.Context())
	}()
	<-i.asked
	const passes = 3
	for range passes {
		i.letGo(1, 1)
	}
	select {
	case err := <-passed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("work waits until %d others were let go", others)
	}
	if n := len(i.waiting); n != others-passes {
		t.Errorf("%d others wait after %d were let go, want %d", n, passes, others-passes)
	}
}

func TestIdleClosed(t *testing.T) {
	i := newIdle(t)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			for range 10 {
				i.Wait()
				i.waitToWork()
			}
		})
	}
	i.Close()
	all.Wait()
	if turns := i.Wait(); turns < 1_000 {
		t.Errorf("%d turns when nobody is to wait", turns)
	}
	i.Close()
}

func TestIdleWithoutItsPipe(t *testing.T) {
	i := newIdle(t)
	if err := i.writer.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		i.Wait() // fails, and lets go
	}
}

func TestNoIdle(t *testing.T) {
	var i *Idle
	if turns := i.Wait(); turns < 1_000 {
		t.Errorf("%d turns when nobody is to wait", turns)
	}
	i.Close()
}
