package benchmarks

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/policy/bundle"
)

const tenant = authz.DefaultTenant

// policy is role-based with an attribute of the user against one of the
// document, and reasons: what most policies are.
const policy = `package authz

import rego.v2

import data.verdict.rbac
import data.verdict.request

default allow := false

allow if {
	rbac.permitted
	request.subject.attributes.clearance >= request.resource.attributes.classification
}

deny contains "the user is not active" if request.subject.attributes.active == false

reasons contains $"{grant.role} on {grant.scope}" if some grant in rbac.grants
`

// A decisionPoint is everything between a request and its decision.
type decisionPoint struct {
	directory *directory.Directory
	cache     *pip.Cache
	decisions *pdp.PDP
}

// openPoint loads lines of the import format into a store on disk and puts a decision
// point on it.
func openPoint(b *testing.B, write func(io.Writer) error, policy activation.Source) *decisionPoint {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "store")
	load(b, dir, write)
	cache := pip.NewCache(pip.Options{})
	d, err := directory.Open(directory.Options{
		Dir: dir, Tenants: []string{tenant}, Retention: time.Hour, Clock: time.Now, Logger: zap.NewNop(), OnCommit: cache.Invalidate,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	programs := activation.New(activation.Options{
		Tenants:    []activation.Tenant{{Name: tenant, Load: policy}},
		Evaluators: []eval.Evaluator{closure.New(), topdown.New()}, // as the service
		Logger:     zap.NewNop(),
		Clock:      time.Now,
	})
	if err := programs.Activate(b.Context(), tenant); err != nil {
		b.Fatal(err)
	}
	active, err := programs.Active(tenant)
	if err != nil {
		b.Fatal(err)
	}
	return &decisionPoint{d, cache, pdp.New(pdp.Options{
		Policy: func(string) (pdp.Policy, error) {
			return pdp.Policy{Program: active.Program, Compiled: active.Policy, Actions: active.Actions, Revision: active.Revision}, nil
		},
		Snapshot: func(ctx context.Context, tenant string, c authz.Consistency) (pdp.Snapshot, error) {
			return d.Snapshot(ctx, tenant, c)
		},
		Cache:  cache,
		Limits: pdp.Limits{Evaluation: time.Second},
	})}
}

func readPolicy(func()) (*bundle.Bundle, error) {
	b, err := bundle.ReadFS(fstest.MapFS{"policy/authz.rego": {Data: []byte(policy)}}, "policy")
	if err != nil {
		return nil, err
	}
	lib, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		return nil, err
	}
	return b.With(lib), nil
}

// request is the i-th of a stream that never asks the same twice in a row, and
// allows about half of what it asks.
func (w world) request(random *rand.Rand) *authz.Request {
	user := random.IntN(w.users)
	document := random.IntN(w.documents())
	if random.IntN(2) == 0 { // one of the user's own department
		document = user % w.departments() % w.documents()
	}
	return &authz.Request{
		Tenant:   tenant,
		Subject:  authz.Subject{Type: "user", ID: fmt.Sprintf("u%08d", user)},
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "document", ID: fmt.Sprintf("doc%07d", document)},
		Context:  authz.Object{"mfa": true},
	}
}

// BenchmarkDecision decides on requests that cycle through all users, at a
// thousand and at a million of them, turn by turn, and reports what the second
// costs beside the first. Before, each has decided on enough requests for its
// cache to hold what it will.
func BenchmarkDecision(b *testing.B) {
	small, large := world{users: 1_000}, world{users: 1_000_000}
	smallPoint, largePoint := openPoint(b, small.write, readPolicy), openPoint(b, large.write, readPolicy)
	random := rand.New(rand.NewPCG(2, 3))

	const turn, warmUp = 500, 100_000
	decideMany(b, smallPoint, small, random, warmUp)
	decideMany(b, largePoint, large, random, warmUp)
	var smallTime, largeTime time.Duration
	decisions := 0
	b.ResetTimer()
	for decisions < b.N {
		smallTime += decideMany(b, smallPoint, small, random, turn)
		largeTime += decideMany(b, largePoint, large, random, turn)
		decisions += turn
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(smallTime.Nanoseconds())/float64(decisions)/1e3, "µs/decision@1000")
	b.ReportMetric(float64(largeTime.Nanoseconds())/float64(decisions)/1e3, "µs/decision@1000000")
	b.ReportMetric(float64(largeTime)/float64(smallTime), "ratio")
}

func decideMany(b *testing.B, p *decisionPoint, w world, random *rand.Rand, n int) time.Duration {
	requests := make([]*authz.Request, n)
	for i := range requests {
		requests[i] = w.request(random)
	}
	start := time.Now()
	for _, request := range requests {
		decision, err := p.decisions.Decide(context.Background(), request, pdp.DecideOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if decision.Err != nil {
			b.Fatal(decision.Err)
		}
	}
	return time.Since(start)
}

// readAttributes reads a user and decodes the attributes.
func readAttributes(ctx context.Context, r *pip.Reader, id string) (*ast.Term, error) {
	entity, err := r.Entity(ctx, "user", id)
	if err != nil {
		return nil, err
	}
	return entity.Member(ctx, eval.Attributes)
}

// BenchmarkEntity reads one entity of ten attributes through package pip: from
// the cache, and from Badger.
func BenchmarkEntity(b *testing.B) {
	w := world{users: 100_000}
	p := openPoint(b, w.write, readPolicy)
	snapshot, err := p.directory.Snapshot(b.Context(), tenant, authz.Consistency{})
	if err != nil {
		b.Fatal(err)
	}
	defer snapshot.Close()
	read := func(b *testing.B, cache *pip.Cache, ids []string) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			reader := cache.Reader(snapshot, math.MaxInt) // one a decision
			if _, err := readAttributes(b.Context(), reader, ids[i%len(ids)]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	}
	ids := make([]string, w.users)
	for i, user := range rand.Perm(w.users) {
		ids[i] = fmt.Sprintf("u%08d", user)
	}
	b.Run("warm", func(b *testing.B) {
		hot := ids[:1000]
		reader := p.cache.Reader(snapshot, math.MaxInt)
		for _, id := range hot {
			if _, err := readAttributes(b.Context(), reader, id); err != nil {
				b.Fatal(err)
			}
		}
		read(b, p.cache, hot)
	})
	b.Run("cold", func(b *testing.B) { read(b, pip.NewCache(pip.Options{MaxBytes: 1}), ids) })
}

// load makes a store of lines.
func load(b *testing.B, dir string, write func(io.Writer) error) {
	b.Helper()
	lines, written := io.Pipe()
	go func() { written.CloseWithError(write(written)) }()
	report, err := directory.Load(b.Context(), dir, tenant, lines, directory.LoadOptions{})
	if err != nil {
		b.Fatalf("%+v: %v", report, err)
	}
}
