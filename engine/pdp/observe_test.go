package pdp_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/plan"
)

// told is what an observer was told.
type told struct {
	mu     sync.Mutex
	events []string
	longs  int // how many took longer than nothing
}

func (o *told) note(took time.Duration, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, fmt.Sprintf(format, args...))
	if took > 0 {
		o.longs++
	}
}

func (o *told) Decided(tenant, evaluator string, allowed bool, err error, took time.Duration) {
	if err != nil {
		o.note(took, "%s on %s: %s, %s", tenant, evaluator, authz.KindOf(err), authz.LimitOf(err))
		return
	}
	o.note(took, "%s on %s: %t", tenant, evaluator, allowed)
}

func (o *told) Searched(tenant string, method pdp.SearchMethod, candidates int, err error, took time.Duration) {
	o.note(took, "%s: %d by %v, failed %t", tenant, candidates, method, err != nil)
}

func (o *told) Planned(tenant string, err error, took time.Duration) {
	o.note(took, "%s: planned, failed %t", tenant, err != nil)
}

func TestAnObserverIsToldOfEachAnswer(t *testing.T) {
	allows := yields(eval.Output{Allow: true})
	other := newRequest()
	other.Tenant = "another"
	for _, tt := range []struct {
		name    string
		program program
		limits  pdp.Limits
		do      func(context.Context, *pdp.PDP)
		want    []string
	}{
		{"an allow", allows, pdp.Limits{}, decideOne, []string{"t on e: true"}},
		{"a deny", yields(eval.Output{Allow: true, Deny: []string{"no"}}), pdp.Limits{}, decideOne, []string{"t on e: false"}},
		{"a policy that fails", fails(authz.Errorf(authz.Evaluation, "x")), pdp.Limits{}, decideOne, []string{"t on e: evaluation, other"}},
		{"a limit", allows, pdp.Limits{InputBytes: 1}, decideOne, []string{"t on e: limit_exceeded, input"}},
		{"a panic", func(context.Context, eval.Input) (eval.Output, error) { panic("x") }, pdp.Limits{}, decideOne, []string{"t on e: internal, other"}},
		{"a tenant that there is none of", allows, pdp.Limits{}, func(ctx context.Context, p *pdp.PDP) { _, _ = p.Decide(ctx, other, pdp.DecideOptions{}) }, nil},
		{"a request without an action", allows, pdp.Limits{}, func(ctx context.Context, p *pdp.PDP) {
			_, _ = p.Decide(ctx, &authz.Request{Tenant: "t"}, pdp.DecideOptions{})
		}, nil},
		{"a caller that gave up", allows, pdp.Limits{}, func(ctx context.Context, p *pdp.PDP) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, _ = p.Decide(ctx, newRequest(), pdp.DecideOptions{})
		}, nil},
		{"a batch, one of it of another tenant", allows, pdp.Limits{}, batchOf(newRequest(), other, nil), []string{"t on e: true", "t on e: invalid, other", "t on e: invalid, other"}},
		{"a batch without time", allows, pdp.Limits{Batch: 1}, batchOf(newRequest()), []string{"t on e: limit_exceeded, batch"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, w := newPDP(tt.program, tt.limits)
			w.policy.Evaluator = "e"
			tt.do(t.Context(), p)
			if diff := cmp.Diff(tt.want, w.told.events); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if w.told.longs != len(tt.want) {
				t.Errorf("%d of %d took some time", w.told.longs, len(tt.want))
			}
		})
	}
}

func decideOne(ctx context.Context, p *pdp.PDP) {
	_, _ = p.Decide(ctx, newRequest(), pdp.DecideOptions{})
}

func batchOf(requests ...*authz.Request) func(context.Context, *pdp.PDP) {
	return func(ctx context.Context, p *pdp.PDP) {
		_, _ = p.DecideBatch(ctx, pdp.Batch{Tenant: "t", Requests: requests})
	}
}

func TestAnObserverIsToldOfSearchesAndPlans(t *testing.T) {
	p, w, search := searchable(t, pdp.Limits{})
	if _, err := p.Search(t.Context(), search); err != nil {
		t.Fatal(err)
	}
	search.For = pdp.Actions
	if _, err := p.Search(t.Context(), search); err != nil {
		t.Fatal(err)
	}
	// The bundle names no table.
	_, _ = p.Plan(t.Context(), pdp.PlanQuestion{Request: newRequest(), Options: plan.Options{Dialect: plan.UCAST}})
	want := []string{"t: 10 by index, failed false", "t: 3 by scan, failed false", "t: planned, failed true"}
	if diff := cmp.Diff(want, w.told.events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if stats := p.RememberedSearches(); stats.Entries != 1 || stats.Bytes == 0 || stats.Misses == 0 {
		t.Errorf("the candidates that are kept: %+v", stats)
	}
}

// TestAnObserverIsToldOfASearchThatFails searches where no candidate can be decided.
func TestAnObserverIsToldOfASearchThatFails(t *testing.T) {
	p, w, search := searchable(t, pdp.Limits{Steps: 1})
	if _, err := p.Search(t.Context(), search); err == nil {
		t.Fatal("the search does not fail")
	}
	if len(w.told.events) != 1 || !strings.HasSuffix(w.told.events[0], "failed true") {
		t.Errorf("got %q", w.told.events)
	}
}
