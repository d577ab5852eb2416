package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// An outcome is how a decision came out, as a label.
type outcome uint8

const (
	allowed outcome = iota
	denied
	failed
	outcomeCount
)

var outcomeNames = [outcomeCount]string{allowed: "allow", denied: "deny", failed: "error"}

// outcomeOf is the outcome of a decision.
func outcomeOf(isAllowed bool, err error) outcome {
	switch {
	case err != nil:
		return failed
	case isAllowed:
		return allowed
	default:
		return denied
	}
}

// otherEvaluator is the label of an evaluator that has no name.
const otherEvaluator = "other"

// How searches find their candidates and how they end, as labels.
var (
	methodNames = []string{0: "none", pdp.ByIndex: pdp.ByIndex.String(), pdp.ByScan: pdp.ByScan.String()}
	resultNames = []string{"ok", "error"}
	reloadNames = []string{activation.Activated: "activated", activation.Unchanged: "unchanged", activation.Failed: "failed"}
)

// tenantFamilies are the metrics that each tenant has its own of.
type tenantFamilies struct {
	decisions, failures, searches, candidates, plans, activations, commits, changes *prometheus.CounterVec
	decisionTook, searchTook                                                        *prometheus.HistogramVec
}

func newTenantFamilies(registry *prometheus.Registry) tenantFamilies {
	return tenantFamilies{
		decisions: counters(registry, "verdict_decisions_total",
			"Decisions, those of batches included, by how they came out and what the policy ran on.", "tenant", "outcome", "evaluator"),
		failures: counters(registry, "verdict_decision_errors_total",
			"Decisions that deny because of an error, by its kind.", "tenant", "kind"),
		decisionTook: histograms(registry, "verdict_decision_duration_seconds",
			"How long decisions took, from when the policy and the directory were at hand.", fastBuckets(), "tenant"),
		searches: counters(registry, "verdict_searches_total",
			"Pages of searches, by how their candidates were found and whether they failed.", "tenant", "method", "result"),
		candidates: counters(registry, "verdict_search_candidates_total",
			"Candidates of searches that were decided, which are no decisions of verdict_decisions_total.", "tenant"),
		searchTook: histograms(registry, "verdict_search_duration_seconds",
			"How long pages of searches took.", slowBuckets(), "tenant"),
		plans: counters(registry, "verdict_plans_total",
			"Filters of rows, by whether they could be written.", "tenant", "result"),
		activations: counters(registry, "verdict_policy_activations_total",
			"Attempts to make a tenant's bundle active, by how they ended.", "tenant", "result"),
		commits: counters(registry, "verdict_directory_commits_total",
			"Revisions that changed the tenant's directory.", "tenant"),
		changes: counters(registry, "verdict_directory_changed_entities_total",
			"Entities whose record or grants a commit changed.", "tenant"),
	}
}

// A tenant is what is counted of one tenant.
type tenant struct {
	decisions    map[string]*[outcomeCount]prometheus.Counter // by evaluator
	failures     []prometheus.Counter                         // by kind
	decisionTook prometheus.Histogram
	searches     [][]prometheus.Counter // by method and result
	candidates   prometheus.Counter
	searchTook   prometheus.Observer
	plans        []prometheus.Counter // by result
	activations  []prometheus.Counter // by result
	commits      prometheus.Counter
	changes      prometheus.Counter
}

// of makes the metrics of one tenant, all there are.
func (f tenantFamilies) of(name string, evaluators []string) *tenant {
	t := &tenant{
		decisions:    make(map[string]*[outcomeCount]prometheus.Counter),
		decisionTook: f.decisionTook.WithLabelValues(name).(prometheus.Histogram),
		candidates:   f.candidates.WithLabelValues(name),
		searchTook:   f.searchTook.WithLabelValues(name),
		commits:      f.commits.WithLabelValues(name),
		changes:      f.changes.WithLabelValues(name),
	}
	for _, evaluator := range append(slices.Clone(evaluators), otherEvaluator) {
		t.decisions[evaluator] = new([outcomeCount]prometheus.Counter)
		for o, outcome := range outcomeNames {
			t.decisions[evaluator][o] = f.decisions.WithLabelValues(name, outcome, evaluator)
		}
	}
	for _, kind := range authz.Kinds() {
		t.failures = append(t.failures, f.failures.WithLabelValues(name, kind.String()))
	}
	for _, method := range methodNames {
		t.searches = append(t.searches, labelled(f.searches.MustCurryWith(prometheus.Labels{"tenant": name, "method": method}), resultNames))
	}
	t.plans = labelled(f.plans.MustCurryWith(prometheus.Labels{"tenant": name}), resultNames)
	t.activations = labelled(f.activations.MustCurryWith(prometheus.Labels{"tenant": name}), reloadNames)
	return t
}

// labelled are the counters of a family with one label left, by its values.
func labelled(family *prometheus.CounterVec, values []string) []prometheus.Counter {
	all := make([]prometheus.Counter, len(values))
	for i, value := range values {
		all[i] = family.WithLabelValues(value)
	}
	return all
}

// resultOf is the place of an error in resultNames.
func resultOf(err error) int {
	if err != nil {
		return 1
	}
	return 0
}

// Decided counts a decision.
func (m *Metrics) Decided(name, evaluator string, isAllowed bool, err error, took time.Duration) {
	m.noteAsked()
	t := m.tenants[name]
	if t == nil {
		return
	}
	counts := t.decisions[evaluator]
	if counts == nil {
		counts = t.decisions[otherEvaluator]
	}
	counts[outcomeOf(isAllowed, err)].Inc()
	t.decisionTook.Observe(took.Seconds())
	if err != nil {
		kind := authz.KindOf(err)
		if int(kind) >= len(t.failures) {
			kind = authz.Internal
		}
		t.failures[kind].Inc()
		if kind == authz.LimitExceeded {
			m.Limited(authz.LimitOf(err))
		}
	}
}

// Searched counts a page of a search.
func (m *Metrics) Searched(name string, method pdp.SearchMethod, candidates int, err error, took time.Duration) {
	m.noteAsked()
	t := m.tenants[name]
	if t == nil {
		return
	}
	t.searches[min(int(method), len(t.searches)-1)][resultOf(err)].Inc()
	t.candidates.Add(float64(candidates))
	t.searchTook.Observe(took.Seconds())
	if authz.KindOf(err) == authz.LimitExceeded {
		m.Limited(authz.LimitOf(err))
	}
}

// Planned counts a filter of rows.
func (m *Metrics) Planned(name string, err error, _ time.Duration) {
	m.noteAsked()
	if t := m.tenants[name]; t != nil {
		t.plans[resultOf(err)].Inc()
	}
}

// Activated counts an attempt to make a bundle active.
func (m *Metrics) Activated(name string, result activation.Result, _ time.Duration) {
	if t := m.tenants[name]; t != nil {
		t.activations[result].Inc()
	}
}

// Changed counts a commit that changed entities of a tenant.
func (m *Metrics) Changed(name string, _ uint64, changed []authz.EntityRef) {
	if t := m.tenants[name]; t != nil {
		t.commits.Inc()
		t.changes.Add(float64(len(changed)))
	}
}
