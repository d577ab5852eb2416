package pdp_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// TestLateAnswer lets a program allow after its time, as one does that is held
// up where nothing looks at the context.
func TestLateAnswer(t *testing.T) {
	p, _ := newPDP(func(ctx context.Context, _ eval.Input) (eval.Output, error) {
		for ctx.Err() == nil {
		}
		return eval.Output{Allow: true, Reasons: []string{"late"}}, nil
	}, pdp.Limits{Evaluation: time.Millisecond})
	checkLimit(t, p, newRequest(), "evaluation time 1ms")
}

func TestExplainingMayUseUpTheTime(t *testing.T) {
	p, _ := newPDP(func(ctx context.Context, _ eval.Input) (eval.Output, error) {
		for ctx.Err() == nil {
		}
		return eval.Output{Allow: true, Explanation: &authz.Explanation{}}, nil
	}, pdp.Limits{Evaluation: time.Millisecond})
	decision, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{Explain: true})
	if err != nil || !decision.Allowed {
		t.Errorf("an explanation that took long changed the decision to %+v, %v", decision, err)
	}
}

// A slowStarter takes its time before it can explain, and none to decide.
type slowStarter struct{ program }

func (slowStarter) PrepareExplaining() { time.Sleep(20 * time.Millisecond) }

func TestPreparingToExplainTakesNoneOfTheTime(t *testing.T) {
	decides := func(ctx context.Context, _ eval.Input) (eval.Output, error) {
		return eval.Output{Allow: true, Explanation: &authz.Explanation{}}, ctx.Err()
	}
	p, _ := newPDPOf(slowStarter{decides}, pdp.Limits{Evaluation: 10 * time.Millisecond})
	decision, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{Explain: true})
	if err != nil || !decision.Allowed {
		t.Errorf("the decision is %+v, %v", decision, err)
	}
}

func TestBatchTime(t *testing.T) {
	p, _ := newPDP(func(_ context.Context, in eval.Input) (eval.Output, error) {
		if in.Request.Action.Name == "wait" {
			time.Sleep(2 * time.Millisecond)
		}
		return eval.Output{Allow: true}, nil
	}, pdp.Limits{Batch: time.Millisecond, Evaluation: time.Hour})
	wait := newRequest()
	wait.Action.Name = "wait"
	decisions, err := p.DecideBatch(t.Context(), pdp.Batch{Tenant: "t", Requests: []*authz.Request{wait, newRequest(), newRequest()}})
	if err != nil || len(decisions) != 3 {
		t.Fatalf("%d decisions, %v", len(decisions), err)
	}
	for i, d := range decisions[1:] {
		if d.Allowed || d.ID == "" || authz.KindOf(d.Err) != authz.LimitExceeded || !strings.Contains(d.Err.Error(), "batch time 1ms") {
			t.Errorf("request %d, after the batch's time: %+v", i+1, d)
		}
	}
}

func TestBatchSharesWhatItsRequestsShare(t *testing.T) {
	var parts []*eval.Parts
	p, _ := newPDP(func(_ context.Context, in eval.Input) (eval.Output, error) {
		parts = append(parts, in.Parts)
		return eval.Output{}, nil
	}, pdp.Limits{})
	one, other := newRequest(), newRequest()
	one.Context = authz.Object{"ip": "192.0.2.1"}
	other.Context = one.Context
	if _, err := p.DecideBatch(t.Context(), pdp.Batch{Tenant: "t", Requests: []*authz.Request{one, other}}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Decide(t.Context(), one, pdp.DecideOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(parts) != 3 || !parts[0].Shares(one.Context) || parts[0] != parts[1] || parts[2] != nil {
		t.Errorf("two requests of a batch and one by itself got parts %v", parts)
	}
}

// waiting is a PDP whose snapshots come when they are let, and which notes the
// order in which it takes what it decides by.
func waiting(limits pdp.Limits, come <-chan struct{}, took *[]string) *pdp.PDP {
	directory := piptest.New("t")
	return pdp.New(pdp.Options{
		Policy: func(string) (pdp.Policy, error) {
			*took = append(*took, "policy")
			return pdp.Policy{Program: yields(eval.Output{Allow: true})}, nil
		},
		Snapshot: func(ctx context.Context, _ string, c authz.Consistency) (pdp.Snapshot, error) {
			select {
			case <-come:
			case <-ctx.Done():
				return nil, fmt.Errorf("waiting for revision %d, the directory is at 1: %w", c.AtLeast, ctx.Err())
			}
			*took = append(*took, "snapshot")
			return closing{directory.Latest(), new(int)}, nil
		},
		Cache:  pip.NewCache(pip.Options{}),
		Limits: limits,
	})
}

func TestThePolicyIsTheOneAfterTheWait(t *testing.T) {
	var took []string
	come := make(chan struct{})
	close(come)
	p := waiting(pdp.Limits{}, come, &took)
	if _, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{Consistency: authz.Consistency{AtLeast: 1}}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(took, []string{"snapshot", "policy"}) {
		t.Errorf("took %v", took)
	}
}

func TestWaitForARevisionIsBounded(t *testing.T) {
	var took []string
	p := waiting(pdp.Limits{Wait: time.Millisecond}, nil, &took)
	_, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{Consistency: authz.Consistency{AtLeast: 9}})
	if authz.KindOf(err) != authz.DeadlineExceeded || !strings.Contains(err.Error(), "within 1ms: waiting for revision 9, the directory is at 1") {
		t.Errorf("error %s: %v", authz.KindOf(err), err)
	}
}

func TestASnapshotWithoutAPolicyIsClosed(t *testing.T) {
	p, w := newPDP(nil, pdp.Limits{})
	other := newRequest()
	other.Tenant = "other"
	if _, err := p.Decide(t.Context(), other, pdp.DecideOptions{}); authz.KindOf(err) != authz.NotFound || w.closed != 1 {
		t.Errorf("error %v, %d snapshots closed", err, w.closed)
	}
}
