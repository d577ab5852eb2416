package pdp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/metrics"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

const (
	benchUsers = 10_000

	constantPolicy = `package authz

allow := true
`
	// roles is a common policy: a grant in force, of a role that permits the
	// action, on a scope above the resource; suspended people get nothing.
	roles = `package authz

import rego.v2

subject := data.directory.user[input.subject.id] if input.subject.type == "user"
resource := data.directory[input.resource.type][input.resource.id]
permission := concat(":", [input.resource.type, input.action.name])

allow if {
	some grant in subject.grants
	grant.not_before_ns <= time.now_ns()
	time.now_ns() < grant.not_after_ns
	resource.ancestors[grant.scope]
	data.directory.ref[grant.role].permissions[permission]
}

deny contains "the account is suspended" if subject.attributes.suspended == true

reasons contains "the role permits it" if allow
`
)

// newBench is a PDP on topdown over ten thousand users in departments of
// fifty, each with a grant on their own department and a document in it.
func newBench(b *testing.B, text string, observer pdp.Observer) *pdp.PDP {
	changes := piptest.Lines(b, `{"entity": {"type": "role", "id": "reader", "attributes": {"permissions": ["doc:read"]}}}
{"entity": {"type": "organization", "id": "acme"}}`)
	for i := range benchUsers {
		user, department := authz.EntityRef{Type: "user", ID: fmt.Sprint(i)}, authz.EntityRef{Type: "department", ID: fmt.Sprint(i / 50)}
		attributes := fmt.Sprintf(`{"email":"user-%d@example.com","level":%d,"suspended":false,"title":"engineer"}`, i, i%5)
		changes = append(changes,
			authz.Change{PutEntity: &authz.Entity{Ref: department, Parents: []authz.EntityRef{{Type: "organization", ID: "acme"}}}},
			authz.Change{PutEntity: &authz.Entity{Ref: user, Attributes: json.RawMessage(attributes), Parents: []authz.EntityRef{department}}},
			authz.Change{PutEntity: &authz.Entity{Ref: authz.EntityRef{Type: "doc", ID: fmt.Sprint(i)}, Parents: []authz.EntityRef{department}}},
			authz.Change{PutGrant: &authz.Grant{ID: fmt.Sprint(i), Subject: user, Role: authz.EntityRef{Type: authz.RoleType, ID: "reader"}, Scope: department}},
		)
	}
	directory := piptest.New("t")
	directory.Write(changes...)
	program := prepare(b, text)
	return pdp.New(pdp.Options{
		Policy: func(string) (pdp.Policy, error) {
			return pdp.Policy{Program: program, Revision: "p1", Evaluator: "closure"}, nil
		},
		Observer: observer,
		Snapshot: func(context.Context, string, authz.Consistency) (pdp.Snapshot, error) {
			return directory.Latest(), nil
		},
		Cache: pip.NewCache(pip.Options{MaxBytes: 1 << 30}),
		// A busy machine is not what is measured.
		Limits: pdp.Limits{Evaluation: time.Minute},
	})
}

func prepare(t testing.TB, text string) eval.Program {
	read, err := bundle.ReadFS(fstest.MapFS{"policy.rego": {Data: []byte(text)}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := rego.Compile(read, rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	program, err := closure.New().Prepare(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// BenchmarkDecide decides for ten thousand subjects in turn, all of them in the
// cache. Every other one asks for a document out of its reach.
func BenchmarkDecide(b *testing.B) {
	counting := metrics.New(metrics.Options{Tenants: []string{"t"}, Evaluators: []string{"closure"}})
	for _, bench := range []struct {
		name, policy string
		explain      bool
		observer     pdp.Observer
	}{
		{"constant", constantPolicy, false, nil},
		{"roles", roles, false, nil},
		{"roles explained", roles, true, nil},
		{"constant counted", constantPolicy, false, counting},
		{"roles counted", roles, false, counting},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p := newBench(b, bench.policy, bench.observer)
			requests := make([]*authz.Request, benchUsers)
			for i := range requests {
				user := i * 7919 % benchUsers
				requests[i] = &authz.Request{
					Tenant:   "t",
					Subject:  authz.Subject{Type: "user", ID: fmt.Sprint(user)},
					Action:   authz.Action{Name: "read"},
					Resource: authz.Resource{Type: "doc", ID: fmt.Sprint((user + 50*(i%2)) % benchUsers)},
					Context:  authz.Object{"mfa": true, "ip": "10.0.0.7"},
				}
			}
			decide := func(i int) {
				d, err := p.Decide(b.Context(), requests[i], pdp.DecideOptions{Explain: bench.explain})
				if err != nil || d.Err != nil {
					b.Fatal(err, d.Err)
				}
				if want := i%2 == 0 || bench.policy == constantPolicy; d.Allowed != want {
					b.Fatalf("%+v: %+v", requests[i], d)
				}
			}
			for i := range requests {
				decide(i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				decide(i % benchUsers)
				i++
			}
		})
	}
}
