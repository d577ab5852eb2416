package background

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWorkRestsByWhatElseThereIs counts what two goroutines do in a second in which
// decisions are made, each step of which takes as long as a piece may.
func TestWorkRestsByWhatElseThereIs(t *testing.T) {
	tests := map[string]struct {
		others      float64 // the part of all processors that all else takes
		least, most time.Duration
	}{
		"all of the processors":    {1, 90 * time.Millisecond, 120 * time.Millisecond},
		"half":                     {0.5, 90 * time.Millisecond, 120 * time.Millisecond},
		"a tenth":                  {0.1, 500 * time.Millisecond, 600 * time.Millisecond},
		"a hundredth":              {0.01, 800 * time.Millisecond, 1800 * time.Millisecond},
		"less than is long work's": {-0.01, 1900 * time.Millisecond, 2000 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took := workBeside(t, test.others)
				if took < test.least || took > test.most {
					t.Errorf("work took %v of a second, want %v to %v", took, test.least, test.most)
				}
			})
		})
	}
}

func workBeside(t *testing.T, others float64) time.Duration {
	var decided atomic.Bool
	var steps atomic.Int64
	start := time.Now()
	p := New(func() bool { return decided.Swap(false) }, func() time.Duration {
		return time.Duration(others*float64(runtime.GOMAXPROCS(0))*float64(time.Since(start))) + time.Duration(steps.Load())*piece
	}, nil)
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
	return time.Duration(steps.Load()) * piece
}

// fully has all processors be at work.
func fully() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Duration(runtime.GOMAXPROCS(0)) * time.Since(start) }
}

func TestNobodyRestsWhileNobodyDecides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		const steps = 1000
		for _, p := range []*Pace{nil, New(func() bool { return false }, fully(), nil)} {
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
		p := New(func() bool { return decided.Swap(false) }, fully(), nil)
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
		p := New(func() bool { return decided.Swap(false) }, fully(), nil)
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

// TestAContextHasAPace rests by a context, and goes on at once by one that has no pace.
func TestAContextHasAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(func() bool { return true }, fully(), nil)
		for _, c := range []struct {
			name string
			ctx  context.Context
			want time.Duration
		}{
			{"with a pace", p.With(t.Context()), mostRest},
			{"without one", t.Context(), 0},
			{"with that of nobody", (*Pace)(nil).With(t.Context()), 0},
		} {
			rest := Resting(c.ctx)
			time.Sleep(time.Hour)
			before := time.Now()
			rest()
			if rested := time.Since(before); rested != c.want {
				t.Errorf("%s it rests for %v, want %v", c.name, rested, c.want)
			}
		}
	})
}
