package pip_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/hierarchy"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// counted counts what is read from a snapshot.
type counted struct {
	*piptest.Snapshot
	entities, grants int
}

func (c *counted) Entity(ref authz.EntityRef) (authz.Entity, bool, error) {
	c.entities++
	return c.Snapshot.Entity(ref)
}

func (c *counted) GrantsOf(ref authz.EntityRef) ([]authz.Grant, error) {
	c.grants++
	return c.Snapshot.GrantsOf(ref)
}

// read is a member of an entity as text, or "unknown".
func read(t *testing.T, directory eval.Directory, ref string, m eval.Member) string {
	t.Helper()
	r := piptest.Ref(t, ref)
	e, err := directory.Entity(t.Context(), r.Type, r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if e == nil {
		return "unknown"
	}
	value, err := e.Member(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if value == nil {
		return "none"
	}
	return value.String()
}

const team = `
{"entity": {"type": "user", "id": "ann", "attributes": {"level": 1}, "parents": ["group:ops"]}}
{"entity": {"type": "group", "id": "ops"}}
{"grant": {"id": "g", "subject": "group:ops", "role": "role:admin"}}
`

func newTeam(t *testing.T, cache *pip.Cache) *piptest.Directory {
	directory := piptest.New("t")
	directory.OnCommit = cache.Invalidate
	directory.Write(piptest.Lines(t, team)...)
	return directory
}

func TestReadsOnce(t *testing.T) {
	cache := pip.NewCache(pip.Options{})
	snapshot := &counted{Snapshot: newTeam(t, cache).Latest()}
	for range 3 {
		reader := cache.Reader(snapshot, 10)
		read(t, reader, "user:ann", eval.Attributes)
		read(t, reader, "user:ghost", eval.Attributes)
	}
	if snapshot.entities != 2 || snapshot.grants != 0 {
		t.Errorf("attributes of a known and an unknown entity took %d reads and %d of grants; expected 2 and 0", snapshot.entities, snapshot.grants)
	}
	for range 3 {
		reader := cache.Reader(snapshot, 10)
		read(t, reader, "user:ann", eval.Ancestors)
		read(t, reader, "user:ann", eval.Grants)
		read(t, reader, "user:ann", eval.GrantsByScope)
	}
	if snapshot.entities != 3 || snapshot.grants != 3 {
		t.Errorf("what is derived took %d reads and %d of grants; expected 3 (the group besides) and 3 (user, group, root)", snapshot.entities, snapshot.grants)
	}
}

func TestCommitInvalidates(t *testing.T) {
	for _, test := range []struct {
		name, write, ref string
		member           eval.Member
		before, after    string
	}{
		{"own attributes", `{"entity": {"type": "user", "id": "ann", "attributes": {"level": 2}}}`, "user:ann", eval.Attributes, `{"level": 1}`, `{"level": 2}`},
		{"a grant above", `{"grant": {"id": "g", "subject": "user:bob", "role": "role:admin"}}`, "user:ann", eval.GrantsByScope, "g", "{}"},
		{"an edge above", `{"entity": {"type": "group", "id": "ops", "parents": ["group:all"]}}`, "user:ann", eval.Distances, `"tenant:t": 2`, `"group:all": 2`},
		{"a grant to the root", `{"grant": {"id": "r", "subject": "tenant:t", "role": "role:guest"}}`, "user:ann", eval.Grants, "role:admin", "role:guest"},
		{"what was unknown", `{"entity": {"type": "user", "id": "new"}}`, "user:new", eval.Attributes, "unknown", "{}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cache := pip.NewCache(pip.Options{})
			directory := newTeam(t, cache)
			old := directory.Latest()
			check := func(snapshot *piptest.Snapshot, want string) {
				t.Helper()
				if got := read(t, cache.Reader(snapshot, 10), test.ref, test.member); !strings.Contains(got, want) {
					t.Errorf("at revision %d: %s has no %s", snapshot.Revision(), got, want)
				}
			}
			check(old, test.before)
			directory.Write(piptest.Lines(t, test.write)...)
			check(directory.Latest(), test.after)
			check(old, test.before)
			check(directory.At(old.Revision()), test.before)
			check(directory.Latest(), test.after)
		})
	}
}

func TestPastLeavesNothing(t *testing.T) {
	// The cache is younger than the directory, as after a restart: it has been
	// told of no commit.
	directory := piptest.New("t")
	past := directory.Write(piptest.Lines(t, team)...)
	directory.Write(piptest.Lines(t, `{"entity": {"type": "user", "id": "ann", "attributes": {"level": 2}, "parents": ["group:ops"]}}`)...)
	directory.Write(piptest.Lines(t, `{"entity": {"type": "group", "id": "ops", "parents": ["group:all"]}}`)...)
	cache := pip.NewCache(pip.Options{})
	check := func(snapshot *piptest.Snapshot, ref string, member eval.Member, want string) {
		t.Helper()
		if got := read(t, cache.Reader(snapshot, 10), ref, member); got != want {
			t.Errorf("%s of %s at revision %d is %s, expected %s", member, ref, snapshot.Revision(), got, want)
		}
	}
	check(directory.At(past), "user:ann", eval.Attributes, `{"level": 1}`)
	if cache.Bytes() != 0 {
		t.Errorf("reading the past left %d bytes", cache.Bytes())
	}
	check(directory.Latest(), "user:ann", eval.Attributes, `{"level": 2}`)

	// Derived at two past revisions between which only something above
	// changed, for an entry that the cache has come to hold as an ancestor.
	const near, far = `{"group:all": 1, "group:ops": 0, "tenant:t": 2}`, `{"group:all": 1, "group:ops": 0, "group:top": 2, "tenant:t": 3}`
	directory.OnCommit = cache.Invalidate
	check(directory.Latest(), "user:ann", eval.Ancestors, `{"group:all": "group:all", "group:ops": "group:ops", "tenant:t": "tenant:t", "user:ann": "user:ann"}`)
	last := directory.Latest().Revision()
	directory.Write(piptest.Lines(t, `{"entity": {"type": "group", "id": "all", "parents": ["group:top"]}}`)...)
	check(directory.At(last), "group:ops", eval.Distances, near)
	check(directory.At(last+1), "group:ops", eval.Distances, far)
	check(directory.At(last), "group:ops", eval.Distances, near)
	check(directory.Latest(), "group:ops", eval.Distances, far)
}

func TestTenantsAreApart(t *testing.T) {
	cache := pip.NewCache(pip.Options{})
	newTeam(t, cache)
	other := piptest.New("other")
	read(t, cache.Reader(newTeam(t, cache).Latest(), 10), "user:ann", eval.Attributes)
	if got := read(t, cache.Reader(other.Latest(), 10), "user:ann", eval.Attributes); got != "unknown" {
		t.Errorf("another tenant's user is %s", got)
	}
}

func TestLimit(t *testing.T) {
	cache := pip.NewCache(pip.Options{})
	snapshot := newTeam(t, cache).Latest()
	const limit = 12 // more than the reader keeps in its array
	reader := cache.Reader(snapshot, limit)
	read(t, cache.Reader(snapshot, limit), "user:ann", eval.Grants) // the root's are among them
	for _, ref := range []authz.EntityRef{{Type: "tenant", ID: "t"}, {Type: "ref", ID: "x"}, {Type: "No Type", ID: "x"}, {Type: "user", ID: strings.Repeat("x", 513)}} {
		if e, err := reader.Entity(t.Context(), ref.Type, ref.ID); e != nil || err != nil {
			t.Errorf("what the directory cannot hold is %v, %v", e, err)
		}
	}
	for i := range limit {
		if _, err := reader.Entity(t.Context(), "user", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range limit {
		if _, err := reader.Entity(t.Context(), "user", fmt.Sprint(i)); err != nil {
			t.Errorf("reading an entity again: %v", err)
		}
	}
	_, err := reader.Entity(t.Context(), "user", "ann")
	if authz.KindOf(err) != authz.LimitExceeded || !strings.Contains(err.Error(), "more than 12 entities") {
		t.Errorf("one entity more: %v", err)
	}
}

func TestContextEndsReading(t *testing.T) {
	cache := pip.NewCache(pip.Options{})
	snapshot := newTeam(t, cache).Latest()
	ctx, cancel := context.WithCancel(t.Context())
	reader := cache.Reader(snapshot, 10)
	e, err := reader.Entity(ctx, "user", "ann")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := e.Member(ctx, eval.Grants); !errors.Is(err, context.Canceled) {
		t.Errorf("deriving after the end: %v", err)
	}
	if _, err := reader.Entity(ctx, "user", "bob"); !errors.Is(err, context.Canceled) {
		t.Errorf("reading after the end: %v", err)
	}
	if err := reader.EachType(ctx, func(string) bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("listing after the end: %v", err)
	}
}

// failing is a snapshot that cannot be read.
type failing struct {
	*piptest.Snapshot
	err error
}

func (f failing) Entity(authz.EntityRef) (authz.Entity, bool, error) {
	return authz.Entity{}, false, f.err
}
func (f failing) GrantsOf(authz.EntityRef) ([]authz.Grant, error) { return nil, f.err }
func (f failing) EachID(string, string, func(string) bool) error  { return f.err }

func TestFailuresAreNotKept(t *testing.T) {
	cache := pip.NewCache(pip.Options{})
	snapshot := newTeam(t, cache).Latest()
	failure := errors.New("the disk is gone")
	if _, err := cache.Reader(failing{snapshot, failure}, 10).Entity(t.Context(), "user", "ann"); !errors.Is(err, failure) {
		t.Errorf("reading: %v", err)
	}
	if err := cache.Reader(failing{snapshot, failure}, 10).EachEntity(t.Context(), "user", func(eval.Entity) bool { return true }); !errors.Is(err, failure) {
		t.Errorf("listing: %v", err)
	}
	read(t, cache.Reader(snapshot, 10), "user:ann", eval.Attributes)
	e, err := cache.Reader(failing{snapshot, failure}, 10).Entity(t.Context(), "user", "ann")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Value(t.Context()); !errors.Is(err, failure) {
		t.Errorf("deriving: %v", err)
	}
	if got := read(t, cache.Reader(snapshot, 10), "user:ann", eval.Grants); !strings.Contains(got, "role:admin") {
		t.Errorf("after the failure grants are %s", got)
	}
}

func TestGrantMembers(t *testing.T) {
	cache := pip.NewCache(pip.Options{})
	directory := piptest.New("t")
	east := time.FixedZone("east", 2*60*60)
	directory.Write(
		piptest.Lines(t, `{"entity": {"type": "user", "id": "ann"}}`)[0],
		authz.Change{PutGrant: &authz.Grant{
			ID: "b", Subject: piptest.Ref(t, "user:ann"), Role: piptest.Ref(t, "role:r"), Scope: piptest.Ref(t, "doc:a:b"), Reason: "why",
			NotBefore: time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 1, 1, 2, 0, 0, 500, east),
		}},
		authz.Change{PutGrant: &authz.Grant{ID: "a", Subject: piptest.Ref(t, "user:ann"), Role: piptest.Ref(t, "role:r"), NotAfter: time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC)}},
	)
	got := read(t, cache.Reader(directory.Latest(), 10), "user:ann", eval.Grants)
	want := `[{"id": "a", "not_after": "2400-01-01T00:00:00Z", "not_after_ns": 9223372036854775807, "not_before_ns": 0, "role": "role:r", "scope": "tenant:t", "subject": "user:ann"}, ` +
		`{"id": "b", "not_after": "2026-01-01T00:00:00.0000005Z", "not_after_ns": 1767225600000000500, "not_before": "1960-01-01T00:00:00Z", "not_before_ns": 0, "reason": "why", "role": "role:r", "scope": "doc:a:b", "subject": "user:ann"}]`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTooManyAncestors(t *testing.T) {
	cache := pip.NewCache(pip.Options{})
	directory := piptest.New("t")
	var changes []authz.Change
	for i := range hierarchy.MaxAncestors {
		changes = append(changes, authz.Change{PutEntity: &authz.Entity{
			Ref:     authz.EntityRef{Type: "group", ID: fmt.Sprint(i)},
			Parents: []authz.EntityRef{{Type: "group", ID: fmt.Sprint(i + 1)}},
		}})
	}
	directory.Write(changes...)
	// Above the last group stand one that is unknown, and the root.
	for id, allowed := range map[string]bool{"0": false, "1": false, "2": true} {
		e, err := cache.Reader(directory.Latest(), 10).Entity(t.Context(), "group", id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Member(t.Context(), eval.Attributes); err != nil {
			t.Errorf("attributes of group %s: %v", id, err)
		}
		for _, member := range []eval.Member{eval.Ancestors, eval.Distances, eval.Grants, eval.GrantsByScope} {
			_, err := e.Member(t.Context(), member)
			switch {
			case allowed && err != nil:
				t.Errorf("%s of group %s: %v", member, id, err)
			case !allowed && (authz.KindOf(err) != authz.LimitExceeded || !strings.Contains(err.Error(), `"group:`+id+`"`)):
				t.Errorf("%s of group %s: %v; expected the limit and the group's name", member, id, err)
			}
		}
	}
}
