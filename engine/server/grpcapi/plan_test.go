package grpcapi

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/plan"
)

// A planFunc plans by a function.
type planFunc func(pdp.PlanQuestion) (pdp.Planned, error)

func (f planFunc) Plan(_ context.Context, q pdp.PlanQuestion) (pdp.Planned, error) { return f(q) }

func TestPlans(t *testing.T) {
	ucast := map[string]any{"type": "field", "operator": "eq", "field": "docs.n", "value": 1.5}
	filter, err := structpb.NewValue(ucast)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		dialect verdictv1.PlanDialect
		planned pdp.Planned
		want    *verdictv1.PlanResourcesResponse
	}{
		{
			"SQL", verdictv1.PlanDialect_PLAN_DIALECT_POSTGRESQL,
			pdp.Planned{
				Plan: plan.Plan{
					Effect: plan.Conditional, Condition: "c",
					SQL: &plan.SQL{Where: "w", Parameters: []any{"a", int64(1 << 60), 0.5}, Table: "docs"},
				},
				Notes: []string{"n"}, PolicyRevision: "p1", DirectoryRevision: 7,
			},
			&verdictv1.PlanResourcesResponse{
				Effect: verdictv1.PlanEffect_PLAN_EFFECT_CONDITIONAL, Condition: "c", Notes: []string{"n"}, PolicyRevision: "p1", DirectoryRevision: 7,
				Filter: &verdictv1.PlanResourcesResponse_Sql{Sql: &verdictv1.SqlFilter{Where: "w", Table: "docs", Parameters: []*verdictv1.SqlParameter{
					{Value: &verdictv1.SqlParameter_Text{Text: "a"}},
					{Value: &verdictv1.SqlParameter_Integer{Integer: 1 << 60}},
					{Value: &verdictv1.SqlParameter_Number{Number: 0.5}},
				}}},
			},
		},
		{
			"UCAST", verdictv1.PlanDialect_PLAN_DIALECT_UCAST,
			pdp.Planned{Plan: plan.Plan{Effect: plan.Conditional, UCAST: ucast}},
			&verdictv1.PlanResourcesResponse{
				Effect: verdictv1.PlanEffect_PLAN_EFFECT_CONDITIONAL,
				Filter: &verdictv1.PlanResourcesResponse_Ucast{Ucast: filter},
			},
		},
		{
			"all rows", verdictv1.PlanDialect_PLAN_DIALECT_MYSQL,
			pdp.Planned{Plan: plan.Plan{Effect: plan.Always}}, &verdictv1.PlanResourcesResponse{Effect: verdictv1.PlanEffect_PLAN_EFFECT_ALWAYS},
		},
		{
			"no rows", verdictv1.PlanDialect_PLAN_DIALECT_SQLITE,
			pdp.Planned{Plan: plan.Plan{Effect: plan.Never}}, &verdictv1.PlanResourcesResponse{Effect: verdictv1.PlanEffect_PLAN_EFFECT_NEVER},
		},
	}
	dialects := map[verdictv1.PlanDialect]plan.Dialect{
		verdictv1.PlanDialect_PLAN_DIALECT_POSTGRESQL: "postgresql", verdictv1.PlanDialect_PLAN_DIALECT_UCAST: "ucast",
		verdictv1.PlanDialect_PLAN_DIALECT_MYSQL: "mysql", verdictv1.PlanDialect_PLAN_DIALECT_SQLITE: "sqlite",
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked pdp.PlanQuestion
			_, conn := start(t, Options{Planner: planFunc(func(q pdp.PlanQuestion) (pdp.Planned, error) {
				asked = q
				return tt.planned, nil
			})})
			got, err := verdictv1.NewAccessServiceClient(conn).PlanResources(t.Context(), &verdictv1.PlanResourcesRequest{
				Tenant: "blue", Subject: &verdictv1.Subject{Type: "user", Id: "mina"}, Action: &verdictv1.Action{Name: "read"},
				Resource: &verdictv1.Resource{Type: "doc"}, Dialect: tt.dialect, ParametersBefore: 2,
				Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{Exact: 7}},
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
			want := pdp.PlanQuestion{
				Request: &authz.Request{
					Tenant: "blue", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc"},
				},
				Options:     plan.Options{Dialect: dialects[tt.dialect], Before: 2},
				Consistency: authz.Consistency{Exact: 7},
			}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPlansThatFail(t *testing.T) {
	_, conn := start(t, Options{Planner: planFunc(func(pdp.PlanQuestion) (pdp.Planned, error) {
		return pdp.Planned{}, authz.Errorf(authz.FailedPrecondition, "authz.rego:3: why")
	})})
	client := verdictv1.NewAccessServiceClient(conn)
	request := &verdictv1.PlanResourcesRequest{Dialect: verdictv1.PlanDialect_PLAN_DIALECT_SQLITE}
	if _, err := client.PlanResources(t.Context(), request); status.Code(err) != codes.FailedPrecondition || status.Convert(err).Message() != "authz.rego:3: why" {
		t.Errorf("what cannot be written: %v", err)
	}
	request.Dialect = verdictv1.PlanDialect_PLAN_DIALECT_UNSPECIFIED
	if _, err := client.PlanResources(t.Context(), request); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no dialect: %v", err)
	}
}
