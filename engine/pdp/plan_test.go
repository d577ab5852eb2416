package pdp_test

import (
	"context"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/engine/plan"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// planned is a plan of what mina may do by a policy, in SQLite's dialect.
func planned(t *testing.T, source, action string) (pdp.Planned, error) {
	t.Helper()
	own, err := bundle.ReadFS(fstest.MapFS{
		"authz.rego": {Data: []byte(source)},
		"data.json":  {Data: []byte(`{"verdict": {"plan": {"doc": {"table": "docs", "columns": {"owner": "owner"}}}}}`)},
	}, ".")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := rego.Compile(own, rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	program, err := topdown.New().Prepare(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	directory := piptest.New("t")
	directory.Write(piptest.Lines(t, `{"entity": {"type": "user", "id": "mina", "attributes": {"admin": true}}}`)...)
	point := pdp.New(pdp.Options{
		Policy: func(string) (pdp.Policy, error) {
			return pdp.Policy{Program: program, Compiled: policy, Revision: "p1"}, nil
		},
		Snapshot: func(context.Context, string, authz.Consistency) (pdp.Snapshot, error) {
			return planSnapshot{directory.Latest()}, nil
		},
		Cache:  pip.NewCache(pip.Options{}),
		Limits: pdp.Limits{Evaluation: 10 * time.Second},
	})
	return point.Plan(t.Context(), pdp.PlanQuestion{
		Request: &authz.Request{
			Tenant: "t", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: action}, Resource: authz.Resource{Type: "doc", ID: "ignored"},
		},
		Options: plan.Options{Dialect: plan.SQLite},
	})
}

type planSnapshot struct{ *piptest.Snapshot }

func (planSnapshot) Close() {}

const owners = `package authz

import rego.v2

doc := data.directory[input.resource.type][input.resource.id]

allow if {
	input.action.name == "read"
	doc.attributes.owner == concat(":", [input.subject.type, input.subject.id])
}

allow if {
	input.action.name == "list"
	data.directory.user[input.subject.id].attributes.admin
}

allow if {
	input.action.name == "count"
	count(doc.attributes.tags) == 1
}
`

func TestPlan(t *testing.T) {
	t.Run("a filter", func(t *testing.T) {
		got, err := planned(t, owners, "read")
		if err != nil {
			t.Fatal(err)
		}
		const where = `("docs"."owner" IS NOT NULL AND "docs"."owner" = ? AND CAST("docs"."owner" AS BLOB) = CAST(? AS BLOB))`
		if got.Effect != plan.Conditional || got.SQL.Where != where || len(got.SQL.Parameters) != 2 || got.SQL.Parameters[0] != "user:mina" {
			t.Errorf("it is %+v with %+v", got, got.SQL)
		}
		if len(got.Notes) != 0 || got.PolicyRevision != "p1" || got.DirectoryRevision != 2 {
			t.Errorf("it has notes %q and revisions %q and %d", got.Notes, got.PolicyRevision, got.DirectoryRevision)
		}
	})
	t.Run("all rows", func(t *testing.T) {
		if got, err := planned(t, owners, "list"); err != nil || got.Effect != plan.Always {
			t.Errorf("it is %q, error %v", got.Effect, err)
		}
	})
	t.Run("no rows", func(t *testing.T) {
		if got, err := planned(t, owners, "write"); err != nil || got.Effect != plan.Never {
			t.Errorf("it is %q, error %v", got.Effect, err)
		}
	})
	t.Run("obligations", func(t *testing.T) {
		got, err := planned(t, owners+"\nobligations[\"log\"] := true if allow\n", "read")
		if err != nil || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "obligations") {
			t.Errorf("it has notes %q, error %v", got.Notes, err)
		}
	})
	t.Run("what is no filter", func(t *testing.T) {
		_, err := planned(t, owners, "count")
		if authz.KindOf(err) != authz.FailedPrecondition || !strings.Contains(err.Error(), "authz.rego:19: ") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("no action", func(t *testing.T) {
		if _, err := planned(t, owners, ""); authz.KindOf(err) != authz.Invalid {
			t.Errorf("the error is %v", err)
		}
	})
}
