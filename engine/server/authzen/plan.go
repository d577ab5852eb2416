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
	if s.leaveOut.has(Revisions) {
		planned.PolicyRevision, planned.DirectoryRevision = "", 0
	}
	return planned, nil
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
