package databases

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/engine/plan"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

var (
	firstSeed = flag.Int("first-seed", 0, "the first random policy")
	seeds     = flag.Int("seeds", 200, "how many random policies are tried")
)

// A world is a policy and a directory.
type world struct {
	directory *piptest.Directory
	point     *pdp.PDP
}

func newWorld(t testing.TB, source string, changes ...authz.Change) (*world, error) {
	t.Helper()
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		t.Fatal(err)
	}
	own, err := bundle.ReadFS(fstest.MapFS{"authz.rego": {Data: []byte(source)}, "data.json": {Data: []byte(mapping)}}, ".")
	if err != nil {
		return nil, err
	}
	policy, err := rego.Compile(own.With(library), rego.Options{})
	if err != nil {
		return nil, err
	}
	program, err := topdown.New().Prepare(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{directory: piptest.New("t")}
	w.directory.Write(changes...)
	w.point = pdp.New(pdp.Options{
		Policy: func(string) (pdp.Policy, error) {
			return pdp.Policy{Program: program, Compiled: policy, Revision: "p1"}, nil
		},
		Snapshot: func(context.Context, string, authz.Consistency) (pdp.Snapshot, error) {
			return closer{w.directory.Latest()}, nil
		},
		Cache:  pip.NewCache(pip.Options{}),
		Limits: pdp.Limits{Evaluation: 10 * time.Second},
	})
	return w, nil
}

type closer struct{ *piptest.Snapshot }

func (closer) Close() {}

// allowed are the documents that decisions allow. One that the policy fails for is
// denied.
func (w *world) allowed(t testing.TB, request authz.Request, docs []doc) (ids []string) {
	t.Helper()
	for _, d := range docs {
		request.Resource.ID = d.id
		decision, err := w.point.Decide(t.Context(), &request, pdp.DecideOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if decision.Allowed {
			ids = append(ids, d.id)
		}
	}
	slices.Sort(ids)
	return ids
}

// The rows that a filter takes in are those that decisions allow.
func TestRowsAreThoseThatDecisionsAllow(t *testing.T) {
	dbs := databases(t)
	seeds := *seeds
	if testing.Short() {
		seeds /= 5
	}
	counts := make(map[string]int)
	for seed := *firstSeed; seed < *firstSeed+seeds; seed++ {
		g := generator{Rand: rand.New(rand.NewPCG(uint64(seed), 11)), plain: seed%3 == 0}
		texts, withNUL := textValues, seed%8 == 0
		if withNUL {
			texts = append(slices.Clone(texts), "a\x00", "\x00a", "user:u1\x00")
		}
		source, docs := g.policy(), g.documents(texts)
		changes := []authz.Change{
			{PutEntity: &authz.Entity{Ref: ref("department:b")}},
			{PutEntity: &authz.Entity{Ref: ref("department:a"), Parents: []authz.EntityRef{ref("department:b")}}},
			{PutEntity: &authz.Entity{Ref: ref("role:r"), Attributes: json.RawMessage(`{"permissions": ["doc:read"]}`)}},
			{PutEntity: &authz.Entity{Ref: ref("user:u1"), Attributes: json.RawMessage(`{"friend": "user:u2", "level": 1.5, "titles": ["a'b", "É", 1]}`)}},
			{PutGrant: &authz.Grant{ID: "g", Subject: ref("user:u1"), Role: ref("role:r"), Scope: ref(g.pick("department:a", "department:b", "doc:d9", "tenant:t"))}},
		}
		for _, d := range docs {
			e := d.entity()
			changes = append(changes, authz.Change{PutEntity: &e})
		}
		w, err := newWorld(t, source, changes...)
		if err != nil {
			counts["policies that do not compile"]++ // such as a comparison of types that never fit
			continue
		}
		request := authz.Request{
			Tenant: "t", Subject: authz.Subject{Type: "user", ID: "u1"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"},
			Context: authz.Object{"titles": []any{"a", "A", "user:u1"}},
		}
		var want []string
		decided := false
		for _, dialect := range plan.Dialects() {
			planned, err := w.point.Plan(t.Context(), pdp.PlanQuestion{Request: &request, Options: plan.Options{Dialect: dialect}})
			effect := string(planned.Effect)
			if err != nil {
				if authz.KindOf(err) != authz.FailedPrecondition {
					t.Fatalf("%v\n%s", err, source)
				}
				effect = "refused"
			}
			counts[fmt.Sprintf("%s %s", dialect, effect)]++
			if err != nil {
				continue
			}
			if !decided {
				want, decided = w.allowed(t, request, docs), true
			}
			for _, i := range interpreters {
				if dialect != plan.UCAST {
					break
				}
				if got := i.rowsOfUCAST(t, planned.Plan, docs); !slices.Equal(got, want) {
					t.Fatalf("seed %d: UCAST %s finds %q, decisions allow %q\n%s\n%s\n%v", seed, i.name, got, want, planned.Condition, source, planned.UCAST)
				}
				counts[fmt.Sprintf("%s compared", dialect)]++
			}
			for _, db := range dbs {
				if db.dialect != dialect || withNUL && dialect == plan.PostgreSQL {
					continue
				}
				db.insert(t, docs)
				if got := db.rows(t, planned.Plan); !slices.Equal(got, want) {
					t.Fatalf("seed %d: %s finds %q, decisions allow %q\n%s\n%s\n%+v", seed, dialect, got, want, planned.Condition, source, planned.SQL)
				}
				counts[fmt.Sprintf("%s compared", dialect)]++
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%s: %d", what, counts[what])
	}
	for dialect, part := range map[plan.Dialect]int{plan.SQLite: 3, plan.PostgreSQL: 3, plan.MySQL: 3, plan.UCAST: 6} {
		if counts[string(dialect)+" conditional"] < seeds/part {
			t.Errorf("too few policies are worth asking in %s", dialect)
		}
	}
}
