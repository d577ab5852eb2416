package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// A ruleCostReport is what a rule cost in the requests that were profiled.
type ruleCostReport struct {
	Tenant string `json:"tenant"`
	Rule   string `json:"rule"`
	// Share is the rule's part of the time of all rules of all tenants that are told of,
	// from 0 to 1.
	Share float64 `json:"share"`
	// Seconds are what it took in a decision, without the rules that it calls, and Calls
	// how often it was evaluated.
	Seconds float64 `json:"seconds_per_decision"`
	Calls   float64 `json:"calls_per_decision"`
}

// rulesOf are the rules that were profiled from one look to the next, the dearest first.
// What each costs counts as often as its tenant asks for decisions in a second.
func rulesOf(before, now *verdictv1.GetStatusResponse, decisions map[string]float64) []ruleCostReport {
	earlier := make(map[string]*verdictv1.PolicyStatus)
	for _, policy := range before.GetPolicies() {
		earlier[policy.GetTenant()] = policy
	}
	rules := []ruleCostReport{}
	var whole float64
	for _, policy := range now.GetPolicies() {
		profile, before := policy.GetProfile(), profileBefore(earlier[policy.GetTenant()], policy)
		evaluations := float64(profile.GetEvaluations()) - float64(before.GetEvaluations())
		if evaluations <= 0 {
			continue
		}
		known := make(map[string]*verdictv1.RuleCost)
		for _, cost := range before.GetRules() {
			known[cost.GetRule()] = cost
		}
		for _, cost := range profile.GetRules() {
			calls := cost.GetCalls() - known[cost.GetRule()].GetCalls()
			if calls == 0 {
				continue
			}
			took := cost.GetTime().AsDuration() - known[cost.GetRule()].GetTime().AsDuration()
			rule := ruleCostReport{
				Tenant: policy.GetTenant(), Rule: cost.GetRule(),
				Seconds: took.Seconds() / evaluations, Calls: float64(calls) / evaluations,
			}
			rule.Share = rule.Seconds * decisions[rule.Tenant]
			whole += rule.Share
			rules = append(rules, rule)
		}
	}
	for i := range rules {
		if whole > 0 {
			rules[i].Share /= whole
		}
	}
	slices.SortStableFunc(rules, func(a, b ruleCostReport) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Rule, b.Rule))
	})
	return rules
}

// profileBefore is what was counted of a policy at an earlier look. One that became active
// since has counted from then.
func profileBefore(earlier, now *verdictv1.PolicyStatus) *verdictv1.PolicyProfile {
	if !earlier.GetActivatedAt().AsTime().Equal(now.GetActivatedAt().AsTime()) {
		return nil
	}
	return earlier.GetProfile()
}

// ruleRows are rules as a table.
func ruleRows(rules []ruleCostReport) [][]string {
	rows := [][]string{{"rule", "tenant", "share", "a decision", "calls"}}
	for _, rule := range rules {
		rows = append(rows, []string{
			rule.Rule, rule.Tenant, fmt.Sprintf("%.0f %%", 100*rule.Share), shortTime(&rule.Seconds), fmt.Sprintf("%.1f", rule.Calls),
		})
	}
	return rows
}
