package directory_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

var errEnough = errors.New("enough")

// watch gathers changes after a revision up to one, and writes them as lines.
func watch(t *testing.T, d *directory.Directory, after, upTo uint64) []string {
	t.Helper()
	var got []string
	err := d.Watch(t.Context(), tenant, after, func(r directory.ChangeRecord) error {
		for _, change := range r.Changes {
			got = append(got, fmt.Sprintf("%d %s", r.Revision, directory.AppendLine(nil, change)))
		}
		if r.Revision >= upTo {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return got
}

func TestWatch(t *testing.T) {
	d := newDirectory(t, directory.Options{Tenants: []string{tenant, "other"}})
	write(t, d, `{"entity":{"type":"user","id":"mina"}}`, `{"grant":{"id":"g","subject":"user:mina","role":"role:r"}}`)
	if _, err := d.Write(t.Context(), "other", authz.Batch{Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: user("olga")}}}}); err != nil {
		t.Fatal(err)
	}
	write(t, d, `{"entity":{"type":"user","id":"mina","attributes":{"n":1}}}`)
	write(t, d, `{"delete":{"entity":"user:mina"}}`)
	want := []string{
		"1 " + `{"entity":{"type":"user","id":"mina"}}` + "\n",
		"1 " + `{"grant":{"id":"g","subject":"user:mina","role":"role:r"}}` + "\n",
		"3 " + `{"entity":{"type":"user","id":"mina","attributes":{"n":1}}}` + "\n",
		"4 " + `{"delete":{"entity":"user:mina"}}` + "\n",
		"4 " + `{"delete":{"grant":"g"}}` + "\n",
	}
	if diff := cmp.Diff(want, watch(t, d, 0, 4)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[2:], watch(t, d, 2, 4)); diff != "" {
		t.Errorf("changes after 2 (-want +got):\n%s", diff)
	}
}

// TestWatchKeepsWhatIsPutBack deletes an entity and puts grants that name it
// back, as they were, in one batch: who makes the changes has to keep them.
func TestWatchKeepsWhatIsPutBack(t *testing.T) {
	grant := `{"grant":{"id":"g","subject":"user:mina","role":"role:nurse","scope":"ward:icu"}}`
	other := `{"grant":{"id":"h","subject":"user:mina","role":"role:clerk"}}`
	for _, ref := range []string{"user:mina", "role:nurse", "ward:icu"} {
		t.Run(ref, func(t *testing.T) {
			d := newDirectory(t, directory.Options{})
			write(t, d,
				`{"entity":{"type":"user","id":"mina"}}`, `{"entity":{"type":"role","id":"nurse"}}`,
				`{"entity":{"type":"ward","id":"icu"}}`, grant, other)
			replica := newDirectory(t, directory.Options{})
			if _, err := importText(t, replica, export(t, d), directory.ImportOptions{}); err != nil {
				t.Fatal(err)
			}
			write(t, d, `{"delete":{"entity":"`+ref+`"}}`, grant)
			err := d.Watch(t.Context(), tenant, 1, func(r directory.ChangeRecord) error {
				_, err := replica.Write(t.Context(), tenant, authz.Batch{Changes: r.Changes})
				if err != nil {
					return err
				}
				return errEnough
			})
			if !errors.Is(err, errEnough) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(export(t, d), export(t, replica)); diff != "" {
				t.Errorf("the replica differs (-source +replica):\n%s", diff)
			}
			mustBeSound(t, d)
		})
	}
}

// TestWatchFollowsWriters has watchers that begin at different times while
// others write: each sees every change after its revision once, in order.
func TestWatchFollowsWriters(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	const writers, writes = 4, 100
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			s, err := d.Snapshot(t.Context(), tenant, authz.Consistency{})
			if err != nil {
				t.Error(err)
				return
			}
			after := s.Revision()
			seen := map[authz.EntityRef]bool{}
			if err := s.EachID("user", "", func(id string) bool { seen[user(id)] = true; return true }); err != nil {
				t.Error(err)
			}
			s.Close()
			last := after
			err = d.Watch(t.Context(), tenant, after, func(r directory.ChangeRecord) error {
				if r.Revision <= last {
					return fmt.Errorf("revision %d after %d", r.Revision, last)
				}
				last = r.Revision
				for _, change := range r.Changes {
					if seen[change.PutEntity.Ref] {
						return fmt.Errorf("%s came twice", change.PutEntity.Ref)
					}
					seen[change.PutEntity.Ref] = true
				}
				if len(seen) == writers*writes {
					return errEnough
				}
				return nil
			})
			if !errors.Is(err, errEnough) {
				t.Error(err)
			}
		})
	}
	for w := range writers {
		wait.Go(func() {
			for i := range writes {
				if _, err := d.Write(t.Context(), tenant, authz.Batch{Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: user(fmt.Sprintf("%d-%d", w, i))}}}}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}

func TestWatchOfALargeWrite(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	var batch authz.Batch
	for i := range authz.MaxBatchChanges {
		batch.Changes = append(batch.Changes, authz.Change{PutEntity: &authz.Entity{Ref: user(fmt.Sprintf("%050d", i))}})
	}
	revision, err := d.Write(t.Context(), tenant, batch)
	if err != nil {
		t.Fatal(err)
	}
	if got := watch(t, d, 0, revision); len(got) != len(batch.Changes) {
		t.Errorf("%d changes, expected %d", len(got), len(batch.Changes))
	}
	mustBeSound(t, d)
}

func TestWatchEnds(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	nothing := func(directory.ChangeRecord) error { return nil }
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := d.Watch(ctx, tenant, 0, nothing); authz.KindOf(err) != authz.DeadlineExceeded {
		t.Errorf("a context that ended: %v", err)
	}
	wantKind(t, d.Watch(t.Context(), tenant, 1, nothing), authz.FailedPrecondition, "revision 1 has not come")
	wantKind(t, d.Watch(t.Context(), "nobody", 0, nothing), authz.NotFound, "nobody")
}

// TestWatchThatFallsBehind has a visitor take longer than history is kept.
func TestWatchThatFallsBehind(t *testing.T) {
	now := newClock()
	d := newDirectory(t, directory.Options{Retention: time.Hour, Clock: now.Now})
	put := func(n int) {
		write(t, d, fmt.Sprintf(`{"entity":{"type":"user","id":"mina","attributes":{"n":%d}}}`, n))
	}
	put(1)
	put(2)
	err := d.Watch(t.Context(), tenant, 0, func(directory.ChangeRecord) error {
		now.advance(2 * time.Hour)
		put(3)
		now.advance(2 * time.Hour)
		put(4)
		return nil
	})
	wantKind(t, err, authz.FailedPrecondition, "keeps revisions")
}

// TestWatchNeverSkipsWhatExpires has history expire with every commit, some of
// another tenant: a watcher that is too slow is told so, and misses nothing
// unnoticed.
func TestWatchNeverSkipsWhatExpires(t *testing.T) {
	d := newDirectory(t, directory.Options{Tenants: tenants, Retention: time.Nanosecond})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			for ctx.Err() == nil {
				_, latest := d.Revisions()
				err := d.Watch(ctx, tenant, latest, func(directory.ChangeRecord) error { return nil })
				if ctx.Err() == nil && authz.KindOf(err) != authz.FailedPrecondition {
					t.Error(err)
				}
			}
		})
	}
	for i := 0; ctx.Err() == nil; i++ {
		e := authz.Entity{Ref: user("mina"), Attributes: fmt.Appendf(nil, `{"n":%d}`, i)}
		_, err := d.Write(ctx, tenants[i%2], authz.Batch{Changes: []authz.Change{{PutEntity: &e}}})
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
	}
	wait.Wait()
}

func TestCheckFindsWhatDangles(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	write(t, d,
		`{"entity":{"type":"user","id":"mina","parents":["group:gone"]}}`,
		`{"entity":{"type":"role","id":"nurse"}}`,
		`{"grant":{"id":"fine","subject":"user:mina","role":"role:nurse"}}`,
		`{"grant":{"id":"everyone","subject":"tenant:workforce","role":"role:nurse"}}`,
		`{"grant":{"id":"loose","subject":"user:olga","role":"role:doctor","scope":"ward:icu"}}`,
	)
	report, err := d.Check(t.Context(), tenant, directory.CheckOptions{Deep: true})
	if err != nil {
		t.Fatal(err)
	}
	want := directory.CheckReport{
		Revision:        1,
		DanglingParents: []directory.DanglingParent{{Entity: user("mina"), Parent: authz.EntityRef{Type: "group", ID: "gone"}}},
		DanglingGrants: []directory.DanglingGrant{
			{GrantID: "loose", Member: "role", Ref: authz.EntityRef{Type: "role", ID: "doctor"}},
			{GrantID: "loose", Member: "subject", Ref: user("olga")},
			{GrantID: "loose", Member: "scope", Ref: authz.EntityRef{Type: "ward", ID: "icu"}},
		},
	}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if report.Clean() {
		t.Error("a report with findings is clean")
	}
}
