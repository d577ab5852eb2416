package grpcapi

import (
	"context"
	"encoding/json"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/plan"
)

// A Planner writes decisions as filters of rows. *pdp.PDP is one.
type Planner interface {
	Plan(ctx context.Context, question pdp.PlanQuestion) (pdp.Planned, error)
}

var planDialects = map[verdictv1.PlanDialect]plan.Dialect{
	verdictv1.PlanDialect_PLAN_DIALECT_UCAST:      plan.UCAST,
	verdictv1.PlanDialect_PLAN_DIALECT_POSTGRESQL: plan.PostgreSQL,
	verdictv1.PlanDialect_PLAN_DIALECT_MYSQL:      plan.MySQL,
	verdictv1.PlanDialect_PLAN_DIALECT_SQLITE:     plan.SQLite,
}

var planEffects = map[plan.Effect]verdictv1.PlanEffect{
	plan.Never:       verdictv1.PlanEffect_PLAN_EFFECT_NEVER,
	plan.Always:      verdictv1.PlanEffect_PLAN_EFFECT_ALWAYS,
	plan.Conditional: verdictv1.PlanEffect_PLAN_EFFECT_CONDITIONAL,
}

// PlanResources writes a decision as a filter of rows.
func (s *accessServer) PlanResources(ctx context.Context, message *verdictv1.PlanResourcesRequest) (*verdictv1.PlanResourcesResponse, error) {
	question := pdp.PlanQuestion{Request: &authz.Request{Tenant: tenantOf(message.GetTenant())}}
	if err := setParts(question.Request, message); err != nil {
		return nil, err
	}
	var err error
	if question.Consistency, err = consistencyOf(message.GetConsistency()); err != nil {
		return nil, err
	}
	var known bool
	if question.Options.Dialect, known = planDialects[message.GetDialect()]; !known {
		return nil, authz.InvalidField("dialect", "%s is none: name what the filter is written in, such as PLAN_DIALECT_POSTGRESQL", message.GetDialect())
	}
	question.Options.Before = int(message.GetParametersBefore())
	planned, err := s.planner.Plan(ctx, question)
	if err != nil {
		return nil, err
	}
	return planMessage(planned)
}

func planMessage(planned pdp.Planned) (*verdictv1.PlanResourcesResponse, error) {
	response := &verdictv1.PlanResourcesResponse{
		Effect:            planEffects[planned.Effect],
		Condition:         planned.Condition,
		Notes:             planned.Notes,
		PolicyRevision:    planned.PolicyRevision,
		DirectoryRevision: planned.DirectoryRevision,
	}
	switch {
	case planned.SQL != nil:
		filter := &verdictv1.SqlFilter{Where: planned.SQL.Where, Table: planned.SQL.Table}
		for _, value := range planned.SQL.Parameters {
			parameter, err := sqlParameter(value)
			if err != nil {
				return nil, err
			}
			filter.Parameters = append(filter.Parameters, parameter)
		}
		response.Filter = &verdictv1.PlanResourcesResponse_Sql{Sql: filter}
	case planned.UCAST != nil:
		text, err := json.Marshal(planned.UCAST)
		if err != nil {
			return nil, authz.Errorf(authz.Internal, "the filter: %w", err)
		}
		filter := new(structpb.Value)
		if err := filter.UnmarshalJSON(text); err != nil {
			return nil, authz.Errorf(authz.Internal, "the filter: %w", err)
		}
		response.Filter = &verdictv1.PlanResourcesResponse_Ucast{Ucast: filter}
	}
	return response, nil
}

func sqlParameter(value any) (*verdictv1.SqlParameter, error) {
	switch value := value.(type) {
	case string:
		return &verdictv1.SqlParameter{Value: &verdictv1.SqlParameter_Text{Text: value}}, nil
	case int64:
		return &verdictv1.SqlParameter{Value: &verdictv1.SqlParameter_Integer{Integer: value}}, nil
	case float64:
		return &verdictv1.SqlParameter{Value: &verdictv1.SqlParameter_Number{Number: value}}, nil
	}
	return nil, authz.Errorf(authz.Internal, "a parameter is of type %T", value)
}
