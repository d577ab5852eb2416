package admission

import (
	"context"
	"testing"
	"testing/synctest"
)

func TestStateTellsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := New(Options{Turns: 1})
		if state := turns.State(); state != (State{Limit: 1}) {
			t.Errorf("of nobody: %+v", state)
		}
		held := hold(t, turns)
		ctx, cancel := context.WithCancel(t.Context())
		for range 2 {
			go func() { _, _ = turns.Check(ctx, "blue") }()
		}
		go func() { _, _ = turns.Long(ctx, "blue") }()
		synctest.Wait()
		if state := turns.State(); state != (State{Taken: 1, Limit: 1, Checks: 2, Longs: 1}) {
			t.Errorf("while three wait: %+v", state)
		}
		cancel()
		synctest.Wait()
		held.Release()
		if state := turns.State(); state != (State{Limit: 1}) {
			t.Errorf("in the end: %+v", state)
		}
	})
}
