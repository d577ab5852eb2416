package client

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/plan"
)

func TestPlansArrive(t *testing.T) {
	sql := &plan.SQL{Where: "d.owner = $3", Table: "d", Parameters: []any{"mina", int64(1) << 60, 0.5, ""}}
	tests := []struct {
		name    string
		dialect Dialect
		answer  plan.Plan
		want    Plan
	}{
		{"never", SQLite, plan.Plan{Effect: plan.Never}, Plan{Effect: Never}},
		{"always", MySQL, plan.Plan{Effect: plan.Always}, Plan{Effect: Always}},
		{"in SQL", PostgreSQL, plan.Plan{Effect: plan.Conditional, SQL: sql}, Plan{Effect: Conditional, SQL: &SQL{Where: sql.Where, Table: "d", Parameters: sql.Parameters}}},
		{"in UCAST", UCAST, plan.Plan{Effect: plan.Conditional, UCAST: map[string]any{"value": 2}}, Plan{Effect: Conditional, UCAST: authz.Object{"value": json.Number("2")}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked pdp.PlanQuestion
			d := &decider{plan: func(question pdp.PlanQuestion) (pdp.Planned, error) {
				asked = question
				tt.answer.Condition = "the owner is mina"
				return pdp.Planned{Plan: tt.answer, Notes: []string{"n"}, PolicyRevision: "r1", DirectoryRevision: 7}, nil
			}}
			c := dialTo(t, startVerdict(t, d, "", nil).address)
			got, err := c.PlanResources(t.Context(), wholeRequest(), PlanOptions{Dialect: tt.dialect, ParametersBefore: 2, Consistency: authz.Consistency{Exact: 7}})
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Condition, tt.want.Notes, tt.want.PolicyRevision, tt.want.DirectoryRevision = "the owner is mina", []string{"n"}, "r1", 7
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if got, want := got.Effect.String(), string(tt.answer.Effect); got != want {
				t.Errorf("the effect is named %s, want %s", got, want)
			}
			request := wholeRequest()
			want := pdp.PlanQuestion{Request: &request, Options: plan.Options{Dialect: plan.Dialect(tt.dialect), Before: 2}, Consistency: authz.Consistency{Exact: 7}}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("question (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoPlan(t *testing.T) {
	d := &decider{plan: func(pdp.PlanQuestion) (pdp.Planned, error) {
		return pdp.Planned{}, authz.Errorf(authz.FailedPrecondition, "the decision cannot be written as a filter: authz.rego:29")
	}}
	c := dialTo(t, startVerdict(t, d, "", nil).address)
	gone, leave := context.WithCancel(t.Context())
	leave()
	nameless := requestAbout("")
	nameless.Resource.Type = "\xff"
	tests := []struct {
		name    string
		ctx     context.Context
		request authz.Request
		options PlanOptions
		kind    authz.Kind
		text    string
	}{
		{"no dialect", t.Context(), requestAbout(""), PlanOptions{}, authz.Invalid, `dialect: "" is none`},
		{"another dialect", t.Context(), requestAbout(""), PlanOptions{Dialect: "oracle"}, authz.Invalid, `dialect: "oracle" is none`},
		{"too many parameters", t.Context(), requestAbout(""), PlanOptions{Dialect: MySQL, ParametersBefore: plan.MaxBefore + 1}, authz.Invalid, "parameters_before: 65536"},
		{"fewer than none", t.Context(), requestAbout(""), PlanOptions{Dialect: MySQL, ParametersBefore: -1}, authz.Invalid, "parameters_before: -1"},
		{"as many as there may be", t.Context(), requestAbout(""), PlanOptions{Dialect: MySQL, ParametersBefore: plan.MaxBefore}, authz.FailedPrecondition, "authz.rego:29"},
		{"a request that cannot be sent", t.Context(), nameless, PlanOptions{Dialect: MySQL}, authz.Invalid, "resource.type: is not valid UTF-8"},
		{"a caller that is gone", gone, requestAbout(""), PlanOptions{Dialect: MySQL}, authz.Canceled, "gave up"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.PlanResources(tt.ctx, tt.request, tt.options)
			if authz.KindOf(err) != tt.kind || err == nil || !strings.Contains(err.Error(), tt.text) || !cmp.Equal(got, Plan{}) {
				t.Errorf("plan = %+v, %v of kind %v", got, err, authz.KindOf(err))
			}
		})
	}
}

// A plan that is conditional on nothing would take in all rows.
func TestConditionsThatAreMissing(t *testing.T) {
	conditional := func(change func(*verdictv1.PlanResourcesResponse)) *verdictv1.PlanResourcesResponse {
		response := &verdictv1.PlanResourcesResponse{Effect: verdictv1.PlanEffect_PLAN_EFFECT_CONDITIONAL}
		change(response)
		return response
	}
	sql := func(filter *verdictv1.SqlFilter) func(*verdictv1.PlanResourcesResponse) {
		return func(r *verdictv1.PlanResourcesResponse) { r.Filter = &verdictv1.PlanResourcesResponse_Sql{Sql: filter} }
	}
	ucast := func(filter *structpb.Value) func(*verdictv1.PlanResourcesResponse) {
		return func(r *verdictv1.PlanResourcesResponse) {
			r.Filter = &verdictv1.PlanResourcesResponse_Ucast{Ucast: filter}
		}
	}
	tests := []struct {
		name    string
		answer  *verdictv1.PlanResourcesResponse
		dialect Dialect
	}{
		{"no filter", conditional(func(*verdictv1.PlanResourcesResponse) {}), SQLite},
		{"no UCAST", conditional(func(*verdictv1.PlanResourcesResponse) {}), UCAST},
		{"SQL in place of UCAST", conditional(sql(&verdictv1.SqlFilter{Where: "x"})), UCAST},
		{"UCAST in place of SQL", conditional(ucast(structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewBoolValue(true)}}))), SQLite},
		{"an empty condition", conditional(sql(&verdictv1.SqlFilter{Table: "d"})), SQLite},
		{"UCAST that is no object", conditional(ucast(structpb.NewBoolValue(true))), UCAST},
		{"an empty object of UCAST", conditional(ucast(structpb.NewStructValue(&structpb.Struct{}))), UCAST},
		{"a parameter without a value", conditional(sql(&verdictv1.SqlFilter{Where: "x = ?", Parameters: []*verdictv1.SqlParameter{{}}})), SQLite},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := planIn(tt.answer, tt.dialect); err == nil || !cmp.Equal(got, Plan{}) {
				t.Errorf("plan = %+v, %v", got, err)
			}
		})
	}
	for _, effect := range []verdictv1.PlanEffect{verdictv1.PlanEffect_PLAN_EFFECT_UNSPECIFIED, verdictv1.PlanEffect_PLAN_EFFECT_NEVER, 99} {
		if got, err := planIn(&verdictv1.PlanResourcesResponse{Effect: effect}, SQLite); err != nil || got.Effect != Never {
			t.Errorf("%v is %v, %v", effect, got.Effect, err)
		}
	}
}
