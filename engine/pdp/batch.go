package pdp

import (
	"cmp"
	"context"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/eval"
)

// MaxBatch is how many requests a batch may have.
const MaxBatch = 1_000

// CheckBatch refuses a batch of n requests when they are too many, with an error
// of kind Invalid. DecideBatch asks it; who makes requests of a message asks
// before, so that a message without end is not read to its end.
func CheckBatch(n int) error {
	if n > MaxBatch {
		return authz.Errorf(authz.Invalid, "there are more than %d: send several batches", MaxBatch)
	}
	return nil
}

// A Batch is requests that are decided together: by one policy, from one
// snapshot, at one time.
type Batch struct {
	// Tenant is the tenant of all requests.
	Tenant string
	// Requests are at most MaxBatch.
	Requests []*authz.Request
	// Consistency and Explain hold for all requests.
	Consistency authz.Consistency
	Explain     bool
	// Stop ends the batch after a decision for which it returns true, as
	// AuthZEN's deny_on_first_deny and permit_on_first_permit do (section
	// 7.1.2.1). Nil decides all.
	Stop func(authz.Decision) bool
}

// DecideBatch decides the requests in their order, one decision each, and none
// for those after Stop. Each request has limits of its own; those that are
// reached when the batch's time is over are denied unseen, with an Err of kind
// LimitExceeded.
//
// A request that is invalid, one of another tenant included, gets a decision
// with an Err of kind Invalid. An error is as Decide's, and about the batch.
func (p *PDP) DecideBatch(ctx context.Context, batch Batch) ([]authz.Decision, error) {
	if err := CheckBatch(len(batch.Requests)); err != nil {
		return nil, authz.InField("requests", err)
	}
	if err := batch.Consistency.Validate(); err != nil {
		return nil, err
	}
	pinned, err := p.pin(ctx, batch.Tenant, batch.Consistency, (*admission.Turns).Check)
	if err != nil {
		return nil, err
	}
	defer pinned.release()
	pinned.parts = eval.PartsOf(batch.Requests)
	end := pinned.start.Add(p.limits.Batch)
	decisions := make([]authz.Decision, 0, len(batch.Requests))
	began := pinned.start
	for _, request := range batch.Requests {
		now := time.Now()
		if now.Sub(began) > piece {
			if err := pinned.turn.Yield(ctx, batch.Tenant); err != nil {
				return nil, err
			}
			// The time in which others had their turn is none of the batch's.
			began = time.Now()
			end = end.Add(began.Sub(now))
			now = began
		}
		decision, err := p.decideItem(ctx, &pinned, &batch, request, now, end)
		if err != nil {
			return nil, err
		}
		decisions = append(decisions, decision)
		if batch.Stop != nil && batch.Stop(decision) {
			break
		}
	}
	return decisions, nil
}

// decideItem decides one request of a batch that has from now until end. Only the end of
// the context is an error.
func (p *PDP) decideItem(ctx context.Context, on *pin, batch *Batch, request *authz.Request, now, end time.Time) (authz.Decision, error) {
	if ctx.Err() != nil {
		return authz.Decision{}, undecided(ctx, nil)
	}
	if !now.Before(end) {
		return p.denied(on, now, request, authz.Exceeded(authz.BatchLimit, "the batch did not come to this request within the batch time %v: send smaller batches", p.limits.Batch)), nil
	}
	size, err := inspect(request, p.limits.InputBytes)
	if err == nil && request.Tenant != batch.Tenant {
		err = authz.InvalidField("tenant", "%s is not the batch's tenant, %s", authz.Quote(request.Tenant), authz.Quote(batch.Tenant))
	}
	var decision authz.Decision
	if err == nil {
		decision, err = p.decide(ctx, on, now, request, size, batch.Explain)
	}
	if err == nil || ctx.Err() != nil {
		return decision, err
	}
	return p.denied(on, now, request, err), nil
}

// denied is the decision about a request that the policy was not asked about.
func (p *PDP) denied(on *pin, now time.Time, request *authz.Request, err error) authz.Decision {
	decision := authz.Decision{
		ID: p.newID(now), PolicyRevision: on.policy.Revision, DirectoryRevision: on.snapshot.Revision(), Err: err,
	}
	p.told(on, now, &decision)
	p.log(cmp.Or(request, &authz.Request{}), &decision)
	return decision
}
