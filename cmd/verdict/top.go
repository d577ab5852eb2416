package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

func newTopCommand(p *printer) *cobra.Command {
	var r remote
	interval := timeout(2 * time.Second)
	rules := uint(10)
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch what a server is asked: how much, by which tenants, how fast, and which rules cost most",
		Long: `Watch what a server is asked: how many decisions a second each tenant asks for, how
they come out, and how long they take, the busiest tenant first; and which rules of their
policies take most of that time.

On a terminal it goes on until it is interrupted. Elsewhere, and with --output json, it
tells once, of what happens within --interval. How long decisions take is told from
counts of how many took at most so long, and so by half or double.

What rules cost is found out while this runs: the server evaluates some requests once more,
with a clock at each rule, for at most one part in fifty of one processor. The clock itself
takes some 50 ns a rule, and rules are not made one here as they are for decisions, so it
is their order that tells most. --rules 0 asks for none.`,
		Example: `  verdict top
  verdict top --rules 20 --tenant workforce
  verdict top --interval 10s --output json`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("tenant") {
				r.tenant = ""
			}
			conn, err := r.dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			policies := verdictv1.NewPolicyServiceClient(conn)
			look := func(ctx context.Context) (countsAt, error) {
				ctx, cancel := r.bounded(ctx)
				defer cancel()
				response, err := policies.GetStatus(ctx, &verdictv1.GetStatusRequest{Tenant: r.tenant, Rules: rules > 0})
				return countsAt{time.Now(), response}, r.inTime(ctx, err)
			}
			return p.top(cmd.Context(), look, time.Duration(interval), rules)
		},
	}
	r.addFlags(cmd)
	cmd.Flags().Lookup("tenant").Usage = "tell of this `tenant` alone"
	cmd.Flags().Lookup("tenant").DefValue = ""
	r.addTimeoutFlag(cmd)
	cmd.Flags().Var(&interval, "interval", "how long to count for each line")
	cmd.Flags().UintVar(&rules, "rules", rules, "tell of so many `rules`, the dearest first")
	return cmd
}

// A countsAt is what a server has counted by a time.
type countsAt struct {
	at       time.Time
	response *verdictv1.GetStatusResponse
}

// top tells what happens from one look to the next: once, or on a terminal until it is
// interrupted; of so many rules.
func (p *printer) top(ctx context.Context, look func(context.Context) (countsAt, error), interval time.Duration, rules uint) error {
	before, err := look(ctx)
	if err != nil {
		return err
	}
	lasting := !p.json() && isTerminal(p.out)
	for {
		select {
		case <-ctx.Done():
			if lasting {
				return nil
			}
			return ctx.Err()
		case <-time.After(interval):
		}
		now, err := look(ctx)
		switch {
		case ctx.Err() != nil && lasting:
			return nil
		case err != nil:
			return err
		}
		report := newTopReport(before, now)
		report.Rules = report.Rules[:min(rules, uint(len(report.Rules)))]
		switch {
		case p.json():
			return p.printJSON(report)
		case !lasting:
			return p.printTop(report, len(report.Tenants))
		}
		if err := p.redraw(report); err != nil {
			return err
		}
		before = now
	}
}

// A topReport is what happened within some seconds, as --output json prints it.
type topReport struct {
	Seconds float64          `json:"seconds"`
	Ready   bool             `json:"ready"`
	Missing []string         `json:"missing"`
	Calls   uint64           `json:"calls_under_way"`
	All     rateReport       `json:"all"`
	Tenants []rateReport     `json:"tenants"` // the busiest first
	Rules   []ruleCostReport `json:"rules"`   // the dearest first
}

// A rateReport is what was asked in a second.
type rateReport struct {
	Tenant    string  `json:"tenant,omitempty"`
	Decisions float64 `json:"decisions_per_second"`
	Allows    float64 `json:"allows_per_second"`
	Denies    float64 `json:"denies_per_second"`
	Errors    float64 `json:"errors_per_second"`
	Searches  float64 `json:"searches_per_second"`
	Plans     float64 `json:"plans_per_second"`
	// Half and Most are within how many seconds half of the decisions, and 99 in 100,
	// were made; nothing where there were none.
	Half *float64 `json:"p50_seconds,omitempty"`
	Most *float64 `json:"p99_seconds,omitempty"`
}

func newTopReport(before, now countsAt) topReport {
	server := now.response.GetServer()
	report := topReport{
		Seconds: now.at.Sub(before.at).Seconds(), Ready: server.GetReady(),
		Missing: append([]string{}, server.GetMissing()...), Calls: server.GetCallsUnderWay(), Tenants: []rateReport{},
	}
	earlier := map[string]*verdictv1.TenantActivity{}
	if before.response.GetServer().GetStartedAt().AsTime().Equal(server.GetStartedAt().AsTime()) {
		for _, policy := range before.response.GetPolicies() {
			earlier[policy.GetTenant()] = policy.GetActivity()
		}
	} else { // another server, which has counted from its own start
		report.Seconds = max(now.at.Sub(server.GetStartedAt().AsTime()).Seconds(), 1)
	}
	all := &verdictv1.TenantActivity{}
	decisions := make(map[string]float64)
	for _, policy := range now.response.GetPolicies() {
		since := minus(policy.GetActivity(), earlier[policy.GetTenant()])
		add(all, since)
		rates := ratesOf(policy.GetTenant(), since, report.Seconds)
		report.Tenants = append(report.Tenants, rates)
		decisions[rates.Tenant] = rates.Decisions
	}
	report.All = ratesOf("", all, report.Seconds)
	report.Rules = rulesOf(before.response, now.response, decisions)
	slices.SortStableFunc(report.Tenants, func(a, b rateReport) int {
		switch {
		case a.Decisions+a.Searches > b.Decisions+b.Searches:
			return -1
		case a.Decisions+a.Searches < b.Decisions+b.Searches:
			return 1
		}
		return strings.Compare(a.Tenant, b.Tenant)
	})
	return report
}

// minus is what came to an activity after an earlier one, which may be nil.
func minus(now, earlier *verdictv1.TenantActivity) *verdictv1.TenantActivity {
	since := &verdictv1.TenantActivity{
		Allows: now.GetAllows() - earlier.GetAllows(), Denies: now.GetDenies() - earlier.GetDenies(), Errors: now.GetErrors() - earlier.GetErrors(),
		Searches: now.GetSearches() - earlier.GetSearches(), Plans: now.GetPlans() - earlier.GetPlans(),
	}
	for i, bucket := range now.GetLatencies() {
		decisions := bucket.GetDecisions()
		if i < len(earlier.GetLatencies()) {
			decisions -= earlier.GetLatencies()[i].GetDecisions()
		}
		since.Latencies = append(since.Latencies, &verdictv1.LatencyBucket{Seconds: bucket.GetSeconds(), Decisions: decisions})
	}
	return since
}

// add adds an activity to another.
func add(to, more *verdictv1.TenantActivity) {
	to.Allows += more.GetAllows()
	to.Denies += more.GetDenies()
	to.Errors += more.GetErrors()
	to.Searches += more.GetSearches()
	to.Plans += more.GetPlans()
	for i, bucket := range more.GetLatencies() {
		if i == len(to.Latencies) {
			to.Latencies = append(to.Latencies, &verdictv1.LatencyBucket{Seconds: bucket.GetSeconds()})
		}
		to.Latencies[i].Decisions += bucket.GetDecisions()
	}
}

func ratesOf(tenant string, activity *verdictv1.TenantActivity, seconds float64) rateReport {
	rate := func(n uint64) float64 { return float64(n) / seconds }
	decisions := activity.GetAllows() + activity.GetDenies() + activity.GetErrors()
	return rateReport{
		Tenant: tenant, Decisions: rate(decisions),
		Allows: rate(activity.GetAllows()), Denies: rate(activity.GetDenies()), Errors: rate(activity.GetErrors()),
		Searches: rate(activity.GetSearches()), Plans: rate(activity.GetPlans()),
		Half: within(activity.GetLatencies(), decisions, 0.5), Most: within(activity.GetLatencies(), decisions, 0.99),
	}
}

// within is within how many seconds a part of some decisions was made, as if those of a
// bucket were spread over it evenly. Those beyond the last bucket count as its bound.
func within(buckets []*verdictv1.LatencyBucket, decisions uint64, part float64) *float64 {
	if decisions == 0 || len(buckets) == 0 {
		return nil
	}
	rank := part * float64(decisions)
	var bound, count float64
	for _, bucket := range buckets {
		if reached := float64(bucket.GetDecisions()); reached >= rank && reached > count {
			bound += (bucket.GetSeconds() - bound) * (rank - count) / (reached - count)
			return &bound
		}
		bound, count = bucket.GetSeconds(), float64(bucket.GetDecisions())
	}
	return &bound
}

// redraw writes a report over the one before, as far as the terminal has room.
func (p *printer) redraw(report topReport) error {
	var text strings.Builder
	page := &printer{out: &text}
	const head = 4 // the lines above the tenants, and the one below
	rows := len(report.Tenants)
	if file, is := p.out.(*os.File); is {
		if _, height, err := term.GetSize(int(file.Fd())); err == nil {
			room := height - head - len(report.Missing) - 1
			const ruleHead = 2
			report.Rules = report.Rules[:max(0, min(len(report.Rules), room/2-ruleHead))]
			if len(report.Rules) > 0 {
				room -= len(report.Rules) + ruleHead
			}
			rows = max(1, min(rows, room))
		}
	}
	if err := page.printTop(report, rows); err != nil {
		return err
	}
	const home, restOfLine, below = "\x1b[H", "\x1b[K\n", "\x1b[J"
	_, err := io.WriteString(p.out, home+strings.ReplaceAll(text.String(), "\n", restOfLine)+below)
	return err
}

// printTop writes a report with so many of its tenants.
func (p *printer) printTop(report topReport, tenants int) error {
	state := "ready"
	if !report.Ready {
		state = "not ready"
	}
	p.printf("%s  %s  in the last %s\n", state, callsUnderWay(report.Calls), time.Duration(report.Seconds*float64(time.Second)).Round(100*time.Millisecond))
	for _, missing := range report.Missing {
		p.printf("  %s\n", printable(missing))
	}
	p.printf("\n")
	rows := [][]string{{"tenant", "decisions/s", "allows/s", "denies/s", "errors/s", "half within", "99 % within", "searches/s", "plans/s"}}
	for _, t := range append([]rateReport{named("all", report.All)}, report.Tenants[:min(tenants, len(report.Tenants))]...) {
		rows = append(rows, []string{
			t.Tenant, perSecond(t.Decisions), perSecond(t.Allows), perSecond(t.Denies), perSecond(t.Errors),
			shortTime(t.Half), shortTime(t.Most), perSecond(t.Searches), perSecond(t.Plans),
		})
	}
	if err := p.table(rows); err != nil || len(report.Rules) == 0 {
		return err
	}
	p.printf("\n")
	return p.table(ruleRows(report.Rules))
}

func named(name string, r rateReport) rateReport {
	r.Tenant = name
	return r
}

// perSecond is a rate for a person: few digits where there are few.
func perSecond(rate float64) string {
	switch {
	case rate == 0:
		return "0"
	case rate < 10:
		return fmt.Sprintf("%.1f", rate)
	}
	return fmt.Sprintf("%.0f", rate)
}

// shortTime is a time of at least a part of a microsecond for a person.
func shortTime(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	took := time.Duration(*seconds * float64(time.Second))
	switch {
	case took >= time.Second:
		return took.Round(10 * time.Millisecond).String()
	case took >= time.Millisecond:
		return took.Round(10 * time.Microsecond).String()
	}
	return took.Round(100 * time.Nanosecond).String()
}
