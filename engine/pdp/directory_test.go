package pdp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// openStore is a PDP over a real directory, in memory.
func openStore(t testing.TB, program eval.Program) (*pdp.PDP, *directory.Directory) {
	t.Helper()
	return openStoreOf(t, pdp.Policy{Program: program, Revision: "p1"})
}

func openStoreOf(t testing.TB, policy pdp.Policy) (*pdp.PDP, *directory.Directory) {
	t.Helper()
	p, store := openStoreAt(t, policy, nil)
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, store
}

// openStoreAt is openStoreOf with a clock. The caller closes the directory.
func openStoreAt(t testing.TB, policy pdp.Policy, clock func() time.Time) (*pdp.PDP, *directory.Directory) {
	t.Helper()
	cache := pip.NewCache(pip.Options{})
	store, err := directory.Open(directory.Options{Tenants: []string{"t"}, OnCommit: cache.Invalidate})
	if err != nil {
		t.Fatal(err)
	}
	return pdp.New(pdp.Options{
		Policy: func(string) (pdp.Policy, error) { return policy, nil },
		Snapshot: func(ctx context.Context, tenant string, c authz.Consistency) (pdp.Snapshot, error) {
			return store.Snapshot(ctx, tenant, c)
		},
		Cache:  cache,
		Limits: pdp.Limits{Evaluation: time.Minute},
		Clock:  clock,
	}), store
}

func write(t testing.TB, store *directory.Directory, changes ...authz.Change) uint64 {
	t.Helper()
	revision, err := store.Write(t.Context(), "t", authz.Batch{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// TestRevisions decides at the latest revision, and at each past one again.
func TestRevisions(t *testing.T) {
	p, store := openStore(t, prepare(t, roles))
	request := newRequest()
	decide := func(c authz.Consistency) authz.Decision {
		t.Helper()
		decision, err := p.Decide(t.Context(), request, pdp.DecideOptions{Consistency: c})
		if err != nil || decision.Err != nil {
			t.Fatal(err, decision.Err)
		}
		return decision
	}
	grant := "g"
	var taken []authz.Decision
	for _, step := range []struct {
		change authz.Change
		want   bool
	}{
		{piptest.Lines(t, `{"entity": {"type": "user", "id": "ann", "attributes": {"suspended": false}}}`)[0], false},
		{piptest.Lines(t, `{"entity": {"type": "doc", "id": "d", "parents": ["folder:f"]}}`)[0], false},
		{piptest.Lines(t, `{"entity": {"type": "role", "id": "reader", "attributes": {"permissions": ["doc:read"]}}}`)[0], false},
		{piptest.Lines(t, `{"grant": {"id": "g", "subject": "user:ann", "role": "role:reader", "scope": "folder:f"}}`)[0], true},
		{piptest.Lines(t, `{"entity": {"type": "role", "id": "reader", "attributes": {"permissions": ["doc:list"]}}}`)[0], false},
		{piptest.Lines(t, `{"entity": {"type": "role", "id": "reader", "attributes": {"permissions": []}, "parents": ["role:base"]}}`)[0], false},
		{piptest.Lines(t, `{"entity": {"type": "role", "id": "base", "attributes": {"permissions": ["doc:read"]}}}`)[0], true},
		{authz.Change{DeleteGrant: &grant}, false},
		{piptest.Lines(t, `{"grant": {"id": "g", "subject": "group:all", "role": "role:reader"}}`)[0], false},
		{piptest.Lines(t, `{"entity": {"type": "user", "id": "ann", "parents": ["group:ops"]}}`)[0], false},
		{piptest.Lines(t, `{"entity": {"type": "group", "id": "ops", "parents": ["group:all"]}}`)[0], true},
		{piptest.Lines(t, `{"grant": {"id": "g", "subject": "tenant:t", "role": "role:reader"}}`)[0], true},
		{piptest.Lines(t, `{"entity": {"type": "user", "id": "ann", "attributes": {"suspended": true}}}`)[0], false},
	} {
		revision := write(t, store, step.change)
		decision := decide(authz.Consistency{AtLeast: revision})
		if decision.Allowed != step.want || decision.DirectoryRevision != revision {
			t.Errorf("after revision %d: %+v; expected allowed %v", revision, decision, step.want)
		}
		decision.ID = ""
		taken = append(taken, decision)
	}
	for _, want := range taken {
		got := decide(authz.Consistency{Exact: want.DirectoryRevision})
		got.ID = ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("replay of revision %d: %s", want.DirectoryRevision, diff)
		}
	}
}

// numbered gives the numbers of two entities that are always written together.
const numbered = `package authz

import rego.v2

user := data.directory.user.ann
group := data.directory.ref[user.parents[0]]

allow if user.attributes.n == group.attributes.n
reasons contains sprintf("%d", [user.attributes.n]) if true
reasons contains sprintf("%d", [group.attributes.n]) if true
reasons contains sprintf("%d", [to_number(grant.reason)]) if { some grant in user.grants }
`

// TestNoMixOfRevisions decides while two entities and a grant above are written
// together: every decision sees them as they were written.
func TestNoMixOfRevisions(t *testing.T) {
	p, store := openStore(t, prepare(t, numbered))
	put := func(n uint64) uint64 {
		attributes := json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))
		group := piptest.Ref(t, "group:ops")
		return write(t, store,
			authz.Change{PutEntity: &authz.Entity{Ref: piptest.Ref(t, "user:ann"), Attributes: attributes, Parents: []authz.EntityRef{group}}},
			authz.Change{PutEntity: &authz.Entity{Ref: group, Attributes: attributes}},
			authz.Change{PutGrant: &authz.Grant{ID: "g", Subject: group, Role: piptest.Ref(t, "role:r"), Reason: fmt.Sprint(n)}},
		)
	}
	first := put(1)
	const writes = 200
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for last := false; !last; {
				last = done.Load()
				decision, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{})
				if err != nil || decision.Err != nil {
					t.Error(err, decision.Err)
					return
				}
				want := fmt.Sprint(decision.DirectoryRevision - first + 1)
				if !decision.Allowed || len(decision.Reasons) != 1 || decision.Reasons[0] != want {
					t.Errorf("a decision at revision %d sees %v; expected %s", decision.DirectoryRevision, decision.Reasons, want)
					return
				}
			}
		})
	}
	for n := range uint64(writes) {
		put(n + 2)
	}
	done.Store(true)
	readers.Wait()
}

// TestLimitsOverTheStore checks that a limit met inside the store's iteration
// comes out as the limit.
func TestLimitsOverTheStore(t *testing.T) {
	_, store := openStore(t, nil)
	var changes []authz.Change
	for i := range 20 {
		changes = append(changes, authz.Change{PutEntity: &authz.Entity{Ref: authz.EntityRef{Type: "user", ID: fmt.Sprint(i)}}})
	}
	write(t, store, changes...)
	program := prepare(t, "package authz\n\nallow if count(data.directory.user) == 20\n")
	for _, limit := range []int{20, 19} {
		p := pdp.New(pdp.Options{
			Policy: func(string) (pdp.Policy, error) { return pdp.Policy{Program: program}, nil },
			Snapshot: func(ctx context.Context, tenant string, c authz.Consistency) (pdp.Snapshot, error) {
				return store.Snapshot(ctx, tenant, c)
			},
			Cache:  pip.NewCache(pip.Options{}),
			Limits: pdp.Limits{Entities: limit, Evaluation: time.Minute},
		})
		decision, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{})
		switch {
		case err != nil:
			t.Fatal(err)
		case limit == 20 && !decision.Allowed:
			t.Errorf("at the limit: %+v", decision)
		case limit == 19 && (authz.KindOf(decision.Err) != authz.LimitExceeded || !strings.Contains(decision.Err.Error(), "more than 19 entities")):
			t.Errorf("beyond the limit: %+v", decision)
		}
	}
}

// BenchmarkColdRead reads users' attributes from a real store, past the cache.
func BenchmarkColdRead(b *testing.B) {
	_, store := openStore(b, nil)
	const users = 20_000
	for from := 0; from < users; from += 1_000 {
		var changes []authz.Change
		for i := range 1_000 {
			changes = append(changes, authz.Change{PutEntity: &authz.Entity{
				Ref:        authz.EntityRef{Type: "user", ID: fmt.Sprint(from + i)},
				Attributes: json.RawMessage(fmt.Sprintf(`{"active":true,"clearance":%d,"email":"user-%d@example.com","hired":"2021-04-01","locale":"de-DE","manager":"user:%d","name":"User Number %d","phone":"+49 30 1234567","skills":["go","rego"],"title":"engineer"}`, i%5, i, i/50, i)),
			}})
		}
		write(b, store, changes...)
	}
	snapshot, err := store.Snapshot(b.Context(), "t", authz.Consistency{})
	if err != nil {
		b.Fatal(err)
	}
	defer snapshot.Close()
	cache := pip.NewCache(pip.Options{MaxBytes: 1})
	ids := make([]string, users)
	for i := range ids {
		ids[i] = fmt.Sprint(i * 7919 % users)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		e, err := cache.Reader(snapshot, 10).Entity(b.Context(), "user", ids[i%users])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Member(b.Context(), eval.Attributes); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
