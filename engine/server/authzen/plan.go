package authzen

import (
	"context"
	"net/http"

	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/plan"
)

// planPath is where filters of rows are asked for. AuthZEN knows none.
const planPath = "/v1/plan/resources"

// A Planner writes decisions as filters of rows. *pdp.PDP is one.
type Planner interface {
	Plan(ctx context.Context, question pdp.PlanQuestion) (pdp.Planned, error)
}

// plan writes a decision as a filter of rows. The body is that of an evaluation,
// whose resource needs no id, with dialect and parameters_before.
func (s *server) plan(ctx context.Context, r *http.Request, body []byte) (any, error) {
	question, err := decodePlan(body, tenantOf(r))
	if err != nil {
		return nil, err
	}
	planned, err := s.planner.Plan(ctx, question)
	if err != nil {
		return nil, err
	}
	response := planResponse{
		Effect: planned.Effect, UCAST: planned.UCAST, Condition: planned.Condition, Notes: planned.Notes,
	}
	if planned.SQL != nil {
		response.SQL = &planSQL{planned.SQL.Where, planned.SQL.Parameters, planned.SQL.Table}
		if response.SQL.Parameters == nil {
			response.SQL.Parameters = []any{}
		}
	}
	if !s.leaveOut.has(Revisions) {
		response.PolicyRevision, response.DirectoryRevision = planned.PolicyRevision, planned.DirectoryRevision
	}
	return response, nil
}

type planResponse struct {
	Effect            plan.Effect    `json:"effect"`
	SQL               *planSQL       `json:"sql,omitempty"`
	UCAST             map[string]any `json:"ucast,omitempty"`
	Condition         string         `json:"condition"`
	Notes             []string       `json:"notes,omitempty"`
	PolicyRevision    string         `json:"policy_revision,omitempty"`
	DirectoryRevision uint64         `json:"directory_revision,omitempty"`
}

type planSQL struct {
	Where      string `json:"where"`
	Parameters []any  `json:"parameters"`
	Table      string `json:"table"`
}

func decodePlan(body []byte, tenant string) (pdp.PlanQuestion, error) {
	var p parts
	var question pdp.PlanQuestion
	d := newDecoder(body)
	err := d.whole(func(name string) error {
		switch {
		case d.isNull():
			return d.skip()
		case name == "dialect":
			var dialect string
			err := d.text(&dialect)
			question.Options.Dialect = plan.Dialect(dialect)
			return err
		case name == "parameters_before":
			return d.wholeNumber(&question.Options.Before, plan.MaxBefore)
		}
		return d.part(&p, name)
	})
	question.Request = p.request(tenant)
	return question, err
}
