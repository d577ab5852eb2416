package grpcapi

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
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
