package store

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zaptest"

	"github.com/verdictpdp/verdict/api/authz"
)

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("within a minute there was not %s", what)
		}
	}
}

// TestPastExpiresWhileNobodyWrites writes, and has time go by.
func TestPastExpiresWhileNobodyWrites(t *testing.T) {
	var now atomic.Int64
	dir := t.TempDir()
	options := Options{
		Dir: dir, Retention: time.Minute, Audit: time.Hour, Housekeeping: time.Millisecond, Logger: zaptest.NewLogger(t),
		Clock: func() time.Time { return time.Unix(1e9+now.Load(), 0) },
	}
	s, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	const wrote = 600 // more than go with one commit
	for i := range wrote {
		rewrite(t, s, tenant, mina, i%10)
	}
	if floor, latest := s.Revisions(); floor != 0 || latest != wrote {
		t.Fatalf("revisions %d to %d are kept before any time has gone by", floor, latest)
	}
	before := contentAt(t, s, wrote)
	record := func() string {
		return contentAt(t, s, s.published.Load().revision)[string(changeKey(tenant, wrote, 0))]
	}
	now.Add(120)
	eventually(t, "an end of the retention", func() bool { floor, _ := s.Revisions(); return floor >= wrote })
	if record() == "" {
		t.Error("the last change record is gone with the retention, before the audit has ended")
	}
	if k := s.Housekeeping(); k.Expired < wrote || k.ExpiredAt.IsZero() {
		t.Errorf("the store tells of %+v", k)
	}
	now.Add(7200)
	eventually(t, "an end of the audit", func() bool { return record() == "" })
	for range 5 { // what is due after each is done within a few looks
		now.Add(7200)
		eventually(t, "the next look", func() bool { _, latest := s.Revisions(); return latest > wrote })
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	// What is left is what was written, and is the end of it.
	options.Housekeeping = 0
	s, err = Open(options)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, latest := s.Revisions()
	if latest > wrote+20 {
		t.Errorf("the store has made %d revisions for %d", latest-wrote, wrote)
	}
	after := contentAt(t, s, latest)
	for _, content := range []map[string]string{before, after} {
		for key := range content {
			if key[0] == systemByte || strings.HasPrefix(key, string(prefix(tenant, spaceChange))) {
				delete(content, key)
			}
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
}

// TestNoCommitForItsOwnSake has nothing left to expire but what was committed to
// expire something.
func TestNoCommitForItsOwnSake(t *testing.T) {
	s, advance := newClockedStore(t, "")
	fill(t, s)
	w := &writer{store: s, size: s.options.sizing()}
	advance(time.Hour)
	rounds := 0
	for ; rounds < 10 && s.due(s.options.Clock()); rounds++ {
		w.keepHouse()
		if w.current == nil {
			t.Fatal("what is due is not begun")
		}
		s.finish(w.current, <-w.current.landed)
		w.current = nil
		advance(time.Hour)
	}
	if rounds == 0 || rounds == 10 {
		t.Errorf("%d commits were made, expected a few", rounds)
	}
}

// TestMergeGivesBackWhatIsPast writes much, waits for it to be past, and reads on
// while the tables are merged.
func TestMergeGivesBackWhatIsPast(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a table")
	}
	dir := t.TempDir()
	// What is loaded goes to the lowest level.
	if err := Load(LoadOptions{Dir: dir, Now: time.Unix(1e9, 0), Logger: zaptest.NewLogger(t)}, tenant, readMina, verifyNothing); err != nil {
		t.Fatal(err)
	}
	s, advance := newClockedStore(t, dir)
	refs := make([]authz.EntityRef, 10)
	for i := range refs {
		refs[i] = authz.EntityRef{Type: "user", ID: fmt.Sprint(i)}
	}
	for s.Sizes().Tables < minMergeBytes {
		if _, err := s.Update(t.Context(), tenant, func(tx *Tx) error {
			_, latest := s.Revisions()
			for _, ref := range refs {
				attributes := fmt.Appendf(nil, `{"n":%d,"text":%q}`, latest, strings.Repeat("x", 60_000))
				if _, err := tx.PutEntity(authz.Entity{Ref: ref, Attributes: attributes}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	now := s.options.Clock
	if s.mergeable(now()) {
		t.Error("tables are merged while what is in them can be read")
	}
	advance(time.Hour)
	fill(t, s)
	if s.mergeable(now()) {
		t.Error("tables are merged right after a write")
	}
	advance(time.Hour)
	if !s.mergeable(now()) {
		t.Fatal("tables are not merged when all of them are past")
	}
	before, content := s.Sizes().Tables, history(t, s)
	s.merge()
	after := s.Sizes().Tables
	if after > before/4 {
		t.Errorf("tables of %d bytes take %d after a merge", before, after)
	}
	if diff := cmp.Diff(content, history(t, s)); diff != "" {
		t.Error(diff)
	}
	if k := s.Housekeeping(); k.Merges != 1 || k.Reclaimed != uint64(before-after) || !k.MergedAt.Equal(now()) {
		t.Errorf("the store tells of %+v", k)
	}
	if s.mergeable(now()) {
		t.Error("tables are merged again without need")
	}
}
