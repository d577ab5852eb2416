package background

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWorkLeavesATenth counts what two goroutines do in a second, each step of which
// takes as long as a piece may.
func TestWorkLeavesATenth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var decided atomic.Bool
		p := New(func() bool { return decided.Swap(false) })
		var steps atomic.Int64
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			for ctx.Err() == nil {
				decided.Store(true)
				time.Sleep(time.Millisecond)
			}
		})
		time.Sleep(look)
		for range 2 {
			all.Go(func() {
				for w := p.Begin(); w.Rest(ctx) == nil; steps.Add(1) {
					time.Sleep(piece)
				}
			})
		}
		all.Wait()
		if took := time.Duration(steps.Load()) * piece; took < 90*time.Millisecond || took > 120*time.Millisecond {
			t.Errorf("work took %v of a second in which decisions were made, want a tenth", took)
		}
	})
}

func TestNobodyRestsWhileNobodyDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		const steps = 1000
		for _, p := range []*Pace{nil, New(func() bool { return false })} {
			w := p.Begin()
			for range steps {
				time.Sleep(piece)
				if err := w.Rest(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if took := time.Since(start); took != 2*steps*piece {
			t.Errorf("%v of work took %v", 2*steps*piece, took)
		}
	})
}

func TestARestIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var decided atomic.Bool
		p := New(func() bool { return decided.Swap(false) })
		w := p.Begin()
		time.Sleep(time.Hour)
		decided.Store(true)
		before := time.Now()
		if err := w.Rest(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rested := time.Since(before); rested != mostRest {
			t.Errorf("rested for %v after an hour of work, want %v", rested, mostRest)
		}
	})
}

func TestARestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var decided atomic.Bool
		p := New(func() bool { return decided.Swap(false) })
		w := p.Begin()
		time.Sleep(look)
		decided.Store(true)
		ended := errors.New("ended")
		ctx, cancel := context.WithCancelCause(t.Context())
		go cancel(ended)
		if err := w.Rest(ctx); !errors.Is(err, ended) {
			t.Errorf("the rest ended with %v, want %v", err, ended)
		}
		var unbound Work
		if err := unbound.Rest(ctx); !errors.Is(err, ended) {
			t.Errorf("work without a pace went on after its context with %v", err)
		}
	})
}
