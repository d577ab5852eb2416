package store

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

// putLarge writes entities of 60 KiB each, in one write.
func putLarge(t *testing.T, s *Store, from, to int) error {
	t.Helper()
	_, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
		for i := from; i < to; i++ {
			attributes := fmt.Appendf(nil, `{"note":"%060000d"}`, i)
			if _, err := tx.PutEntity(authz.Entity{Ref: authz.EntityRef{Type: "user", ID: fmt.Sprint("u", i)}, Attributes: attributes}); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// TestLowMemory opens a store with little memory, which takes smaller commits, and
// then as it was before.
func TestLowMemory(t *testing.T) {
	tests := []struct {
		name string
		low  bool
		fits int // of 60 KiB
	}{
		{"usual", false, 100},
		{"low", true, 33},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := Open(Options{Dir: t.TempDir(), LowMemory: test.low, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)})
			if err != nil {
				t.Fatal(err)
			}
			if err := putLarge(t, s, 0, test.fits); err != nil {
				t.Errorf("%d of 60 KiB: %v", test.fits, err)
			}
			wantError(t, putLarge(t, s, 1000, 1000+test.fits+10), authz.LimitExceeded, "send several smaller ones")
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLogOfLargerMemory opens what a store with larger memtables left in its log when
// it was killed.
func TestLogOfLargerMemory(t *testing.T) {
	large := newStore(t, t.TempDir())
	for i := range 6 {
		if err := putLarge(t, large, 100*i, 100*i+100); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	copyStore(t, dir, large.options.Dir)
	expectLarge := func(s *Store, count int) {
		t.Helper()
		for _, i := range []int{0, count / 2, count - 1} {
			if !holds(t, s, authz.EntityRef{Type: "user", ID: fmt.Sprint("u", i)}) {
				t.Errorf("entity %d is gone", i)
			}
		}
	}
	small, err := Open(Options{Dir: dir, LowMemory: true, Retention: time.Hour, Clock: time.Now, Logger: zaptest.NewLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	expectLarge(small, 600)
	for i := range 10 {
		if err := putLarge(t, small, 600+30*i, 630+30*i); err != nil {
			t.Fatal(err)
		}
	}
	expectLarge(small, 900)
	if err := small.Close(); err != nil {
		t.Fatal(err)
	}
	expectLarge(newStore(t, dir), 900)
}
