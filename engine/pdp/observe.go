package pdp

import (
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// An Observer is told what a PDP answers, by the goroutine that answers: it must not
// wait. The tenants are those that are served, whatever requests say; evaluators are
// those of Policy.Evaluator.
type Observer interface {
	// Decided is told of each decision, those of batches included, and how long it
	// took from when it had a policy and a snapshot. An error denies.
	Decided(tenant, evaluator string, allowed bool, err error, took time.Duration)
	// Searched is told of each page of a search. The method is 0 where an error came
	// before one was chosen.
	Searched(tenant string, method SearchMethod, candidates int, err error, took time.Duration)
	// Planned is told of each filter of rows.
	Planned(tenant string, err error, took time.Duration)
}

// told tells of a decision that was begun at a time.
func (p *PDP) told(on *pin, start time.Time, decision *authz.Decision) {
	if p.observer != nil {
		p.observer.Decided(on.snapshot.Tenant(), on.policy.Evaluator, decision.Allowed, decision.Err, time.Since(start))
	}
}

// toldPage tells of a page of a search.
func (p *PDP) toldPage(on *pin, found *Found, err error) {
	if p.observer != nil {
		p.observer.Searched(on.snapshot.Tenant(), found.Method, found.Candidates, err, time.Since(on.start))
	}
}

// toldPlan tells of a filter of rows.
func (p *PDP) toldPlan(on *pin, err error) {
	if p.observer != nil {
		p.observer.Planned(on.snapshot.Tenant(), err, time.Since(on.start))
	}
}
