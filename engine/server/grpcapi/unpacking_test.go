package grpcapi

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/intake"
)

// TestLargeMessagesWaitForEachOther unpacks as many as may be at a time, and others.
func TestLargeMessagesWaitForEachOther(t *testing.T) {
	const largest = 1 << 20
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(intake.New(intake.Options{Logger: zap.NewNop()}), largest)
		unpack := func(ctx context.Context, bytes int) (func(), error) {
			start := time.Now()
			release, err := m.unpack(ctx, bytes)
			if took := time.Since(start); err == nil && took != 0 {
				t.Errorf("%d bytes have waited for %v", bytes, took)
			}
			return release, err
		}
		var held []func()
		for range maxUnpacked {
			release, err := unpack(t.Context(), largest)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, release)
		}
		if release, err := unpack(t.Context(), smallBytes); err != nil || release != nil {
			t.Errorf("a small message: %v", err)
		}
		_, err := unpack(t.Context(), smallBytes+1)
		if authz.KindOf(err) != authz.Overloaded || authz.LimitOf(err) != authz.MessageLimit {
			t.Errorf("a message too many: %v", err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := unpack(gone, smallBytes+1); !errors.Is(err, context.Canceled) {
			t.Errorf("of one who has gone: %v", err)
		}
		time.AfterFunc(time.Second, held[0])
		if _, err := m.unpack(t.Context(), smallBytes+1); err != nil {
			t.Errorf("once another is answered: %v", err)
		}
	})
}

// TestWhoWaitsGivesMemoryBack holds that a call with a large message keeps its share, so
// that others wait for it, unless it waits for a revision that is not there.
func TestWhoWaitsGivesMemoryBack(t *testing.T) {
	const largest, latest = 1 << 20, 7
	for atLeast, given := range map[uint64]bool{0: false, latest: false, latest + 1: true} {
		m := newMemory(intake.New(intake.Options{Logger: zap.NewNop()}), largest)
		isFree := func() bool {
			free := m.messages.TryAcquire(maxUnpacked * largest)
			if free {
				m.messages.Release(maxUnpacked * largest)
			}
			return free
		}
		call := &arrival{Context: caller.Context{Context: t.Context()}}
		release, err := m.unpackCall(call, smallBytes+1)
		if err != nil {
			t.Fatal(err)
		}
		w := waiting{closing: t.Context(), revisions: func() (oldest, newest uint64) { return 1, latest }}
		free, _ := at(call, w, authz.Consistency{AtLeast: atLeast}, func(context.Context) (bool, error) { return isFree(), nil })
		if free != given {
			t.Errorf("at least revision %d: its memory is free: %v, want %v", atLeast, free, given)
		}
		if release(); !isFree() {
			t.Errorf("at least revision %d: its memory is not free when it is answered", atLeast)
		}
	}
}
