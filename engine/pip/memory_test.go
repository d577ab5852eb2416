package pip_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
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
	const users, most = 8_000, 3 << 20
	directory := piptest.New("t")
	directory.Write(crowd(users)...)
	snapshot := directory.Latest()
	if _, err := snapshot.GrantsOf(authz.EntityRef{}); err != nil { // it groups them all
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		read func(context.Context, eval.Entity) error
	}{
		{"all", func(ctx context.Context, e eval.Entity) error {
			_, err := e.Value(ctx)
			return err
		}},
		{"look-ups", func(ctx context.Context, e eval.Entity) error {
			_, err := e.Lookup(ctx, eval.Attributes, ast.StringTerm("manager"))
			_, other := e.Lookup(ctx, eval.Ancestors, ast.StringTerm("organization:acme"))
			return errors.Join(err, other)
		}},
		{"grants", func(ctx context.Context, e eval.Entity) error {
			_, err := e.Member(ctx, eval.Grants)
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := heap()
			cache := pip.NewCache(pip.Options{MaxBytes: most})
			for i := range users {
				e, err := cache.Reader(snapshot, 10).Entity(t.Context(), "user", fmt.Sprintf("user-%06d", i))
				if err != nil {
					t.Fatal(err)
				}
				if err := test.read(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			held, grown := cache.Bytes(), heap()-before
			t.Logf("estimated %d bytes, the heap grew by %d", held, grown)
			if held < most/2 || held > most {
				t.Errorf("the cache holds %d bytes, the bound is %d", held, most)
			}
			if grown < most/2 || grown > 5*most/4 {
				t.Errorf("the heap grew by %d bytes, the bound is %d", grown, most)
			}
			runtime.KeepAlive(cache)
		})
	}
	runtime.KeepAlive(directory)
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

// BenchmarkHeld reads users once, each by a reader of its own, and reports the
// bytes that one takes in the cache: as the heap has grown, and as counted.
func BenchmarkHeld(b *testing.B) {
	directory := piptest.New("t")
	directory.Write(crowd(benchUsers)...)
	snapshot, ids := directory.Latest(), benchIDs()
	lookup := func(m eval.Member, names ...string) func(*testing.B, eval.Entity) {
		return func(b *testing.B, e eval.Entity) {
			for _, name := range names {
				if _, err := e.Lookup(b.Context(), m, ast.StringTerm(name)); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	grants := lookup(eval.GrantsByScope, "tenant:t", "organization:acme")
	ancestors, attributes := lookup(eval.Ancestors, "organization:acme"), lookup(eval.Attributes, "manager", "active")
	for _, bench := range []struct {
		name string
		read func(*testing.B, eval.Entity)
	}{
		{"two attributes", attributes},
		{"two attributes, an ancestor and a scope's grants", func(b *testing.B, e eval.Entity) {
			attributes(b, e)
			ancestors(b, e)
			grants(b, e)
		}},
		{"attributes", func(b *testing.B, e eval.Entity) {
			if _, err := e.Member(b.Context(), eval.Attributes); err != nil {
				b.Fatal(err)
			}
		}},
		{"all", func(b *testing.B, e eval.Entity) {
			if _, err := e.Value(b.Context()); err != nil {
				b.Fatal(err)
			}
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				cache := pip.NewCache(pip.Options{MaxBytes: 1 << 30})
				empty := heap()
				for _, id := range ids {
					e, err := cache.Reader(snapshot, 10).Entity(b.Context(), "user", id)
					if err != nil {
						b.Fatal(err)
					}
					bench.read(b, e)
				}
				grown := heap() - empty
				b.ReportMetric(float64(grown)/benchUsers, "heap-B/user")
				b.ReportMetric(float64(cache.Bytes())/benchUsers, "counted-B/user")
				runtime.KeepAlive(cache)
			}
		})
	}
}
