package pdp

import (
	"context"
	"fmt"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/eval/residual"
	"github.com/verdictpdp/verdict/engine/plan"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A PlanQuestion asks which rows a subject may do an action on.
type PlanQuestion struct {
	// Request is what is asked about. The id of the resource is ignored.
	Request *authz.Request
	Options plan.Options
	// Consistency says which directory revision to answer from.
	Consistency authz.Consistency
}

// A Planned is the answer.
type Planned struct {
	plan.Plan
	// Notes say what the plan leaves out.
	Notes             []string `json:"notes,omitempty"`
	PolicyRevision    string   `json:"policy_revision,omitempty"`
	DirectoryRevision uint64   `json:"directory_revision,omitempty"`
}

// Plan writes the decision about the resources of a type as a filter of rows: those,
// and no others, that Decide allows where the directory holds what the row holds.
//
// Errors are those of Decide and of plan.Of. Limits, which are a decision's, are
// FailedPrecondition: they keep the filter from being written.
func (p *PDP) Plan(ctx context.Context, q PlanQuestion) (Planned, error) {
	if err := q.Consistency.Validate(); err != nil {
		return Planned{}, err
	}
	request, size, err := p.searched(Search{For: Resources, Request: q.Request})
	if err != nil {
		return Planned{}, err
	}
	pinned, err := p.pin(ctx, request.Tenant, q.Consistency, (*admission.Turns).Long)
	if err != nil {
		return Planned{}, err
	}
	defer pinned.release()
	policy := pinned.policy.Compiled
	if policy == nil {
		return Planned{}, authz.Errorf(authz.FailedPrecondition, "the policy cannot be evaluated in part")
	}
	pinned.prepareSearch()
	planned, err := p.planned(ctx, &pinned, policy, request, size, q.Options)
	p.toldPlan(&pinned, err)
	return planned, err
}

// planned writes what is left of a policy as a filter.
func (p *PDP) planned(ctx context.Context, on *pin, policy *rego.Policy, request *authz.Request, size int, options plan.Options) (Planned, error) {
	left, err := p.residual(ctx, on, Resources, request, size, residual.Exactly)
	if err != nil {
		return Planned{}, err
	}
	typ := request.Resource.Type
	written, err := plan.Of(left, typ, policy.Value("verdict", "plan", typ), options)
	if err != nil {
		return Planned{}, err
	}
	planned := Planned{Plan: written, PolicyRevision: on.policy.Revision, DirectoryRevision: on.snapshot.Revision()}
	if policy.Has(rego.Obligations) && written.Effect != plan.Never {
		planned.Notes = append(planned.Notes, fmt.Sprintf("The policy has obligations, which a filter does not tell: ask for a decision on each %s that is shown.", authz.Quote(typ)))
	}
	return planned, nil
}
