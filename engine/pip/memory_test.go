package pip_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// crowd is a directory of users with ten attributes each, in departments of
// fifty, each with a grant.
func crowd(users int) []authz.Change {
	var changes []authz.Change
	put := func(ref authz.EntityRef, attributes string, parents ...authz.EntityRef) {
		changes = append(changes, authz.Change{PutEntity: &authz.Entity{Ref: ref, Attributes: json.RawMessage(attributes), Parents: parents}})
	}
	top := authz.EntityRef{Type: "organization", ID: "acme"}
	put(top, `{"country":"de"}`)
	for i := range users/50 + 1 {
		division := authz.EntityRef{Type: "division", ID: fmt.Sprint(i % 7)}
		put(authz.EntityRef{Type: "department", ID: fmt.Sprint(i)}, `{"cost_center":"c-17"}`, division)
	}
	for i := range 7 {
		put(authz.EntityRef{Type: "division", ID: fmt.Sprint(i)}, `{}`, top)
	}
	put(authz.EntityRef{Type: authz.RoleType, ID: "reader"}, `{"permissions":["doc:read"]}`)
	for i := range users {
		user := authz.EntityRef{Type: "user", ID: fmt.Sprintf("user-%06d", i)}
		put(user, fmt.Sprintf(`{"active":true,"clearance":%d,"email":"user-%06d@example.com","hired":"2021-04-01","locale":"de-DE","manager":"user:user-%06d","name":"User Number %d","phone":"+49 30 %07d","skills":["go","rego"],"title":"engineer"}`, i%5, i, i/50, i, i),
			authz.EntityRef{Type: "department", ID: fmt.Sprint(i / 50)})
		changes = append(changes, authz.Change{PutGrant: &authz.Grant{
			ID: fmt.Sprintf("g-%06d", i), Subject: user, Role: authz.EntityRef{Type: authz.RoleType, ID: "reader"},
			Scope: authz.EntityRef{Type: "department", ID: fmt.Sprint(i / 50)},
		}})
	}
	return changes
}

// TestMemoryIsBounded reads far more than the cache may hold, and compares its
// estimate with the heap's growth.
func TestMemoryIsBounded(t *testing.T) {
	const users, most = 4_000, 8 << 20
	directory := piptest.New("t")
	directory.Write(crowd(users)...)
	snapshot := directory.Latest()
	cache := pip.NewCache(pip.Options{MaxBytes: most})
	before := heap()
	for i := range users {
		e, err := cache.Reader(snapshot, 10).Entity(t.Context(), "user", fmt.Sprintf("user-%06d", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Value(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	held, grown := cache.Bytes(), heap()-before
	t.Logf("estimated %d bytes, the heap grew by %d", held, grown)
	if held < most/2 || held > most {
		t.Errorf("the cache holds %d bytes, the bound is %d", held, most)
	}
	if grown > 3*most/2 {
		t.Errorf("the heap grew by %d bytes, the bound is %d", grown, most)
	}
	runtime.KeepAlive(directory)
	runtime.KeepAlive(cache)
}

// TestEpochsDoNotPileUp derives anew at many epochs: what was derived before
// weighs nothing any more.
func TestEpochsDoNotPileUp(t *testing.T) {
	cache := pip.NewCache(pip.Options{})
	directory := newTeam(t, cache)
	derive := func() uint64 {
		e, err := cache.Reader(directory.Latest(), 10).Entity(t.Context(), "user", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Value(t.Context()); err != nil {
			t.Fatal(err)
		}
		return cache.Bytes()
	}
	first := derive()
	for range 100 {
		directory.Write(piptest.Lines(t, `{"entity": {"type": "group", "id": "ops"}}`)...)
		if now := derive(); now > 2*first {
			t.Fatalf("the cache holds %d bytes, at first %d", now, first)
		}
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
