package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

func TestWriteKeepsEntitiesCanonical(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	parents := []authz.EntityRef{{Type: "group", ID: "z"}, {Type: "group", ID: "a"}}
	change := authz.Change{PutEntity: &authz.Entity{
		Ref: user("mina"), Parents: parents,
		Attributes: []byte(`{ "b": [1.0, 12345678901234567890, 1E3], "a": "\u00e9\/" }`),
	}}
	if _, err := d.Write(t.Context(), tenant, authz.Batch{Changes: []authz.Change{change}}); err != nil {
		t.Fatal(err)
	}
	record, err := latest(t, d).Record(user("mina"))
	if err != nil {
		t.Fatal(err)
	}
	want := directory.Record{Revision: 1, Entity: authz.Entity{
		Ref: user("mina"), Parents: parents, Attributes: []byte(`{"a":"é/","b":[1.0,12345678901234567890,1E3]}`),
	}}
	if diff := cmp.Diff(want, record); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if string(change.PutEntity.Attributes[:3]) != `{ "` {
		t.Errorf("the caller's attributes were changed: %s", change.PutEntity.Attributes)
	}
}

func TestWriteThatChangesNothing(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	lines := []string{
		`{"entity":{"type":"user","id":"mina","attributes":{"a":1}}}`,
		`{"grant":{"id":"g","subject":"user:mina","role":"role:r","not_after":"2026-01-01T01:00:00+01:00"}}`,
	}
	first := write(t, d, lines...)
	if again := write(t, d, lines...); again != first {
		t.Errorf("revision %d of a write that changes nothing, expected %d", again, first)
	}
	if again := write(t, d, `{"entity":{"type":"user","id":"mina"}}`, lines[0]); again != first {
		t.Errorf("revision %d of a write that changes back, expected %d", again, first)
	}
	if again := write(t, d, `{"delete":{"grant":"other"}}`, `{"delete":{"entity":"user:other"}}`); again != first {
		t.Errorf("revision %d of deletions of nothing, expected %d", again, first)
	}
}

func TestWriteIsRefused(t *testing.T) {
	entity := func(ref authz.EntityRef, attributes string, parents ...authz.EntityRef) authz.Batch {
		return authz.Batch{Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: ref, Attributes: []byte(attributes), Parents: parents}}}}
	}
	grant := func(g authz.Grant) authz.Batch {
		g.ID, g.Role = "g", authz.EntityRef{Type: "role", ID: "r"}
		return authz.Batch{Changes: []authz.Change{{PutGrant: &g}}}
	}
	deep := strings.Repeat(`{"a":`, authz.MaxAttributeDepth+1) + "1" + strings.Repeat("}", authz.MaxAttributeDepth+1)
	mina := user("mina")
	group := authz.EntityRef{Type: "group", ID: "top"}
	tests := []struct {
		name  string
		batch authz.Batch
		kind  authz.Kind
		want  string
	}{
		{"empty batch", authz.Batch{}, authz.Invalid, "empty"},
		{"attributes that are no JSON", entity(mina, `{"a":`), authz.Invalid, "changes[0].put_entity.attributes"},
		{"attributes with a name twice", entity(mina, `{"a":1,"a":2}`), authz.Invalid, "duplicate"},
		{"attributes that are no UTF-8", entity(mina, "{\"a\":\"\xff\"}"), authz.Invalid, "UTF-8"},
		{"attributes that are a list", entity(mina, `[]`), authz.Invalid, "expected an object"},
		{"attributes that are two", entity(mina, `{}{}`), authz.Invalid, "changes[0].put_entity.attributes"},
		{"attributes too deep", entity(mina, deep), authz.Invalid, "at most 32"},
		{"attributes too large", entity(mina, `{"a":"`+strings.Repeat("x", authz.MaxAttributeBytes)+`"}`), authz.Invalid, "at most 65536"},
		{"a number that no policy can read", entity(mina, `{"a":{"n":[1, 1e999999999]}}`), authz.Invalid, "attributes: 1e999999999 lies outside the range of a double"},
		{"permissions that are no list", entity(authz.EntityRef{Type: "role", ID: "r"}, `{"permissions":"a:b"}`), authz.Invalid, "changes[0].put_entity.attributes.permissions: is a string: expected an array of type:action"},
		{"a permission without a type", entity(authz.EntityRef{Type: "role", ID: "r"}, `{"permissions":["a:*","read"]}`), authz.Invalid, `"read": expected type:action`},
		{"a permission with a bad type", entity(authz.EntityRef{Type: "role", ID: "r"}, `{"permissions":["A:read"]}`), authz.Invalid, `"A:read"`},
		{"the root as an entity", entity(authz.Root(tenant), `{}`), authz.Invalid, "reserved"},
		{"the root as a parent", entity(mina, `{}`, authz.Root(tenant)), authz.Invalid, "reserved"},
		{"another root as subject", grant(authz.Grant{Subject: authz.Root("other")}), authz.Invalid, `changes[0].put_grant.subject: "tenant:other" is another tenant`},
		{"another root as scope", grant(authz.Grant{Subject: mina, Scope: authz.Root("other")}), authz.Invalid, "another tenant"},
		{"a time that cannot be exported", grant(authz.Grant{Subject: mina, NotAfter: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}), authz.Invalid, "changes[0].put_grant.not_after: the year 10000"},
		{"an entity that is there", authz.Batch{Preconditions: []authz.Precondition{{Ref: user("olga")}}, Changes: entity(mina, "").Changes}, authz.FailedPrecondition, "preconditions[0]: user:olga exists"},
		{"an entity that is not there", authz.Batch{Preconditions: []authz.Precondition{{Ref: mina, Revision: 1}}, Changes: entity(mina, "").Changes}, authz.FailedPrecondition, "user:mina does not exist"},
		{"an entity at another revision", authz.Batch{Preconditions: []authz.Precondition{{Ref: user("olga"), Revision: 7}}, Changes: entity(mina, "").Changes}, authz.FailedPrecondition, "user:olga is at revision 1: expected revision 7"},
		{"a cycle", entity(group, "", user("olga")), authz.FailedPrecondition, "changes[0]: parents close a cycle: group:top → user:olga → group:top"},
		{"a cycle of several changes", authz.Batch{Changes: slices.Concat(entity(mina, "").Changes, entity(group, "", mina).Changes, entity(mina, "", group).Changes, entity(user("paul"), "").Changes)}, authz.FailedPrecondition, "changes[2]: parents close a cycle: user:mina → group:top → user:mina"},
	}
	d := newDirectory(t, directory.Options{})
	write(t, d, `{"entity":{"type":"user","id":"olga","parents":["group:top"]}}`)
	before := export(t, d)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := d.Write(t.Context(), tenant, test.batch)
			wantKind(t, err, test.kind, test.want)
		})
	}
	if _, err := d.Write(t.Context(), "nobody", entity(mina, "")); authz.KindOf(err) != authz.NotFound {
		t.Errorf("unknown tenant: %v", err)
	}
	if diff := cmp.Diff(before, export(t, d)); diff != "" {
		t.Errorf("a refused write left something (-before +after):\n%s", diff)
	}
}

func TestParentsMaySwapInOneBatch(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	write(t, d, `{"entity":{"type":"group","id":"a","parents":["group:b"]}}`, `{"entity":{"type":"group","id":"b"}}`)
	write(t, d, `{"entity":{"type":"group","id":"b","parents":["group:a"]}}`, `{"entity":{"type":"group","id":"a"}}`)
	mustBeSound(t, d)
}

func TestDeletedEntityLeavesNoGrants(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	write(t, d,
		`{"entity":{"type":"user","id":"mina"}}`,
		`{"entity":{"type":"team","id":"icu"}}`,
		`{"grant":{"id":"as subject","subject":"user:mina","role":"role:r"}}`,
		`{"grant":{"id":"as scope","subject":"user:olga","role":"role:r","scope":"team:icu"}}`,
		`{"grant":{"id":"as role","subject":"user:olga","role":"role:s"}}`,
		`{"grant":{"id":"other","subject":"user:olga","role":"role:r"}}`,
	)
	write(t, d, `{"delete":{"entity":"user:mina"}}`, `{"delete":{"entity":"team:icu"}}`, `{"delete":{"entity":"role:s"}}`, `{"entity":{"type":"user","id":"mina"}}`)
	const want = `{"entity":{"type":"user","id":"mina"}}` + "\n" + `{"grant":{"id":"other","subject":"user:olga","role":"role:r"}}` + "\n"
	if diff := cmp.Diff(want, export(t, d)); diff != "" {
		t.Errorf("export (-want +got):\n%s", diff)
	}
	mustBeSound(t, d)
}

// TestDeletedEntityTakesAGrantPutBeforeAlong holds that a grant which the same
// batch has put before goes, too, although the put changed nothing.
func TestDeletedEntityTakesAGrantPutBeforeAlong(t *testing.T) {
	const grant = `{"grant":{"id":"g","subject":"user:mina","role":"role:r","scope":"team:icu"}}`
	for _, deleted := range []string{"user:mina", "role:r", "team:icu"} {
		d := newDirectory(t, directory.Options{})
		write(t, d, grant)
		write(t, d, grant, `{"delete":{"entity":"`+deleted+`"}}`)
		if got := export(t, d); got != "" {
			t.Errorf("after the deletion of %s there is %s", deleted, got)
		}
		mustBeSound(t, d)
	}
}

func TestTenantsAreApart(t *testing.T) {
	d := newDirectory(t, directory.Options{Tenants: []string{"work", "workforce", "workforce2"}})
	write(t, d, `{"entity":{"type":"user","id":"mina"}}`, `{"grant":{"id":"g","subject":"user:mina","role":"role:r"}}`)
	for _, other := range []string{"work", "workforce2"} {
		s, err := d.Snapshot(t.Context(), other, authz.Consistency{})
		if err != nil {
			t.Fatal(err)
		}
		_, known, err := s.Entity(user("mina"))
		grants, err2 := s.GrantsOf(user("mina"))
		if known || len(grants) > 0 || errors.Join(err, err2) != nil {
			t.Errorf("%s sees %v, %v, %v", other, known, grants, errors.Join(err, err2))
		}
		s.Close()
		var out strings.Builder
		if _, err := d.Export(t.Context(), other, authz.Consistency{}, &out); err != nil || out.Len() > 0 {
			t.Errorf("export of %s: %q, %v", other, out.String(), err)
		}
	}
}

// TestConcurrentWritesAreSerial has writers that each move a counter from one
// value to the next under a precondition: none may be lost.
func TestConcurrentWritesAreSerial(t *testing.T) {
	d := newDirectory(t, directory.Options{Dir: t.TempDir()})
	const writers, steps = 8, 20
	counter := user("counter")
	var wait sync.WaitGroup
	for w := range writers {
		wait.Go(func() {
			for step := range steps {
				own := fmt.Sprintf("%d-%d", w, step)
				for {
					s, err := d.Snapshot(t.Context(), tenant, authz.Consistency{})
					if err != nil {
						t.Error(err)
						return
					}
					record, err := s.Record(counter)
					s.Close()
					count := 0
					if err == nil {
						_, err = fmt.Sscanf(string(record.Attributes), `{"n":%d}`, &count)
					}
					if err != nil && authz.KindOf(err) != authz.NotFound {
						t.Error(err)
						return
					}
					revision, err := d.Write(t.Context(), tenant, authz.Batch{
						Preconditions: []authz.Precondition{{Ref: counter, Revision: record.Revision}},
						Changes: []authz.Change{
							{PutEntity: &authz.Entity{Ref: counter, Attributes: fmt.Appendf(nil, `{"n":%d}`, count+1)}},
							{PutEntity: &authz.Entity{Ref: user(own)}},
						},
					})
					if authz.KindOf(err) == authz.FailedPrecondition {
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					written, err := d.Snapshot(t.Context(), tenant, authz.Consistency{AtLeast: revision})
					if err != nil {
						t.Error(err)
						return
					}
					if _, known, err := written.Entity(user(own)); !known || err != nil {
						t.Errorf("an acknowledged write cannot be read: %v", err)
					}
					written.Close()
					break
				}
			}
		})
	}
	wait.Wait()
	record, err := latest(t, d).Record(counter)
	if want := fmt.Sprintf(`{"n":%d}`, writers*steps); err != nil || string(record.Attributes) != want {
		t.Errorf("the counter is %s (%v), expected %s", record.Attributes, err, want)
	}
	mustBeSound(t, d)
}

// TestConcurrentWritesCloseNoCycle has two writers at a time make the two
// halves of a cycle: one of them is refused, or the other came later.
func TestConcurrentWritesCloseNoCycle(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	for round := range 50 {
		a, b := fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round)
		var wait sync.WaitGroup
		var mu sync.Mutex
		refused := 0
		for _, edge := range [][2]string{{a, b}, {b, a}} {
			wait.Go(func() {
				change, err := directory.ParseLine(fmt.Appendf(nil, `{"entity":{"type":"group","id":%q,"parents":["group:%s"]}}`, edge[0], edge[1]))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := d.Write(t.Context(), tenant, authz.Batch{Changes: []authz.Change{change}}); err != nil {
					mu.Lock()
					refused++
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		if refused != 1 {
			t.Fatalf("%d of the two halves of a cycle were refused, expected one", refused)
		}
	}
	mustBeSound(t, d)
}

// TestOneCommitServesManyWrites has writes arrive while another is committed.
func TestOneCommitServesManyWrites(t *testing.T) {
	const writes = 200
	var d *directory.Directory
	var wait sync.WaitGroup
	put := func(i int) {
		if _, err := d.Write(t.Context(), tenant, authz.Batch{Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: user(fmt.Sprint(i))}}}}); err != nil {
			t.Error(err)
		}
	}
	d = newDirectory(t, directory.Options{Dir: t.TempDir(), OnCommit: func(_ string, revision uint64, _ []authz.EntityRef) {
		if revision > 1 {
			return
		}
		for i := range writes {
			wait.Go(func() { put(i) })
		}
		time.Sleep(100 * time.Millisecond)
	}})
	put(writes)
	wait.Wait()
	if _, revision := d.Revisions(); revision > writes/10 {
		t.Errorf("%d writes at once took %d revisions", writes, revision)
	}
	mustBeSound(t, d)
}

func TestLargestBatch(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	d := newDirectory(t, directory.Options{})
	batch := authz.Batch{}
	for i := range authz.MaxBatchChanges {
		batch.Changes = append(batch.Changes, authz.Change{PutGrant: &authz.Grant{
			ID: fmt.Sprint(i), Subject: user(fmt.Sprint(i)), Role: authz.EntityRef{Type: "role", ID: "r"}, NotAfter: time.Unix(int64(i+1), 0),
		}})
	}
	if _, err := d.Write(t.Context(), tenant, batch); err != nil {
		t.Errorf("%d grants at once: %v", len(batch.Changes), err)
	}
	// All of them name the role, and so go with it.
	if _, err := tryWrite(t, d, `{"delete":{"entity":"role:r"}}`); err != nil {
		t.Errorf("deleting a role with %d grants: %v", directory.MaxDeletedGrants, err)
	}
	if _, err := d.Write(t.Context(), tenant, batch); err != nil {
		t.Fatal(err)
	}
	write(t, d, `{"grant":{"id":"one more","subject":"user:mina","role":"role:r"}}`)
	_, err := tryWrite(t, d, `{"delete":{"entity":"role:r"}}`)
	wantKind(t, err, authz.LimitExceeded, "role:r")

	batch.Changes = append(batch.Changes, batch.Changes[0])
	_, err = d.Write(t.Context(), tenant, batch)
	wantKind(t, err, authz.Invalid, "at most 10000")
}

func TestBatchOfManyBytesIsRefused(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	large := []byte(`{"a":"` + strings.Repeat("x", 60<<10) + `"}`)
	batch := func(typ string, entities int) authz.Batch {
		var b authz.Batch
		for i := range entities {
			b.Changes = append(b.Changes, authz.Change{PutEntity: &authz.Entity{Ref: authz.EntityRef{Type: typ, ID: fmt.Sprint(i)}, Attributes: large}})
		}
		return b
	}
	if _, err := d.Write(t.Context(), tenant, batch("user", 100)); err != nil {
		t.Errorf("just below 6 MiB: %v", err)
	}
	_, err := d.Write(t.Context(), tenant, batch("group", 103))
	wantKind(t, err, authz.LimitExceeded, "send several smaller ones")
	mustBeSound(t, d)
}

func TestWriteEndsWithItsContext(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Write(ctx, tenant, authz.Batch{Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: user("mina")}}}})
	if authz.KindOf(err) != authz.Canceled {
		t.Errorf("error %v, expected that of the context", err)
	}
}
