package main

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// ruleCosts are rules with as many calls as microseconds.
func ruleCosts(microseconds map[string]uint64) []*verdictv1.RuleCost {
	var costs []*verdictv1.RuleCost
	for rule, took := range microseconds {
		costs = append(costs, &verdictv1.RuleCost{Rule: rule, Calls: took, Time: durationpb.New(time.Duration(took) * time.Microsecond)})
	}
	return costs
}

func TestTopTellsWhichRulesCostMost(t *testing.T) {
	look := func(policies ...*verdictv1.PolicyStatus) *verdictv1.GetStatusResponse {
		return &verdictv1.GetStatusResponse{Policies: policies}
	}
	policy := func(tenant string, activated int64, evaluations uint64, microseconds map[string]uint64) *verdictv1.PolicyStatus {
		status := &verdictv1.PolicyStatus{Tenant: tenant, ActivatedAt: timestamppb.New(time.Unix(activated, 0))}
		if evaluations > 0 {
			status.Profile = &verdictv1.PolicyProfile{Evaluations: evaluations, Rules: ruleCosts(microseconds)}
		}
		return status
	}
	rates := map[string]float64{"blue": 1000, "green": 100}
	for _, tt := range []struct {
		name        string
		before, now *verdictv1.GetStatusResponse
		want        []ruleCostReport
	}{
		{"nothing", look(policy("blue", 1, 0, nil)), look(policy("blue", 1, 0, nil)), nil},
		{"the first", look(policy("blue", 1, 0, nil)), look(policy("blue", 1, 10, map[string]uint64{"a": 10, "b": 30})), []ruleCostReport{
			{"blue", "b", 0.75, 3e-6, 3}, {"blue", "a", 0.25, 1e-6, 1},
		}},
		{"since the one before", look(policy("blue", 1, 10, map[string]uint64{"a": 1000, "b": 30})), look(policy("blue", 1, 20, map[string]uint64{"a": 1000, "b": 40, "c": 30})), []ruleCostReport{
			{"blue", "c", 0.75, 3e-6, 3}, {"blue", "b", 0.25, 1e-6, 1},
		}},
		{"no request in between", look(policy("blue", 1, 10, map[string]uint64{"a": 10})), look(policy("blue", 1, 10, map[string]uint64{"a": 10})), nil},
		{"another policy", look(policy("blue", 1, 10, map[string]uint64{"a": 10})), look(policy("blue", 2, 20, map[string]uint64{"a": 20})), []ruleCostReport{
			{"blue", "a", 1, 1e-6, 1},
		}},
		{"by how often their tenants ask", look(), look(policy("blue", 1, 10, map[string]uint64{"a": 10}), policy("green", 1, 10, map[string]uint64{"a": 20})), []ruleCostReport{
			{"blue", "a", 1000. / 1200, 1e-6, 1}, {"green", "a", 200. / 1200, 2e-6, 2},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, rulesOf(tt.before, tt.now, rates), cmpopts.EquateEmpty(), cmpopts.EquateApprox(0, 1e-12)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	idle := rulesOf(look(), look(policy("blue", 1, 10, map[string]uint64{"a": 10})), nil)
	if len(idle) != 1 || math.IsNaN(idle[0].Share) {
		t.Errorf("where nothing was decided: %+v", idle)
	}
}

func TestTopPrintsRules(t *testing.T) {
	var out bytes.Buffer
	report := topReport{Rules: []ruleCostReport{{"blue", "data.authz.allow", 0.429, 1.24e-6, 1}, {"blue", "data.authz.\x1b[2J", 0.571, 1e-6, 1.5}}}
	if err := (&printer{out: &out}).printTop(report, 0); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"data.authz.allow", "43 %", "1.2µs", "1.5"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %q in\n%s", part, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("a rule's name reaches the terminal as it is: %q", out.String())
	}
}
