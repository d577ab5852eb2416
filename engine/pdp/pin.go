package pdp

import (
	"context"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/eval"
)

// A pin is what one decision, or one batch of them, rests on.
type pin struct {
	policy   Policy
	snapshot Snapshot
	start    time.Time   // of the evaluation, for its limits
	now      time.Time   // as policies see it
	parts    *eval.Parts // of a batch
	turn     admission.Turn
}

// release gives back what is held.
func (on *pin) release() {
	on.turn.Release()
	on.snapshot.Close()
}

// pin takes the snapshot first, which may have to wait for its revision, then a turn
// to evaluate, and so the policy that is active when the evaluation begins.
func (p *PDP) pin(ctx context.Context, tenant string, consistency authz.Consistency, take func(*admission.Turns, context.Context, string) (admission.Turn, error)) (pin, error) {
	snapshot, err := p.awaitSnapshot(ctx, tenant, consistency)
	if err != nil {
		return pin{}, err
	}
	turn, err := take(p.turns, ctx, tenant)
	if err != nil {
		snapshot.Close()
		return pin{}, err
	}
	policy, err := p.policy(tenant)
	if err != nil {
		turn.Release()
		snapshot.Close()
		return pin{}, err
	}
	start := time.Now()
	now := start
	if p.clock != nil {
		now = p.clock()
	}
	return pin{policy: policy, snapshot: snapshot, start: start, now: now, turn: turn}, nil
}

// prepareSearch compiles what searches need of a policy, when it is first asked for,
// before the time is measured: it may take longer than what it is for.
func (on *pin) prepareSearch() {
	if on.policy.Compiled != nil {
		_, _ = on.policy.Compiled.Lookups() // whose error is told where it is used
		on.start = time.Now()
	}
}

// awaitSnapshot bounds how long a revision is waited for.
func (p *PDP) awaitSnapshot(ctx context.Context, tenant string, consistency authz.Consistency) (Snapshot, error) {
	if consistency.AtLeast == 0 {
		return p.snapshot(ctx, tenant, consistency)
	}
	bounded, cancel := context.WithTimeout(ctx, p.limits.Wait)
	defer cancel()
	snapshot, err := p.snapshot(bounded, tenant, consistency)
	if err != nil && ctx.Err() == nil && bounded.Err() != nil {
		return nil, authz.Errorf(authz.DeadlineExceeded, "the revision did not come within %v: %w", p.limits.Wait, err)
	}
	return snapshot, err
}

// piece is how long work that is long goes on before others have their turn.
const piece = 200 * time.Microsecond
