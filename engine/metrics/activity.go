package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// An Activity is what has been asked of a tenant, for who wants to know without a
// Prometheus.
type Activity struct {
	// Allows, Denies and Errors are decisions by how they came out.
	Allows, Denies, Errors uint64
	// Searches are pages of them, and Plans filters of rows.
	Searches, Plans uint64
	// Within are how many decisions took at most as many seconds as stand at the same
	// place in Bounds, which rise.
	Bounds []float64
	Within []uint64
}

// Activity is that of a tenant; the zero value for one that is not configured.
func (m *Metrics) Activity(name string) Activity {
	t := m.tenants[name]
	if t == nil {
		return Activity{}
	}
	var a Activity
	for _, counts := range t.decisions {
		a.Allows += valueOf(counts[allowed])
		a.Denies += valueOf(counts[denied])
		a.Errors += valueOf(counts[failed])
	}
	for _, results := range t.searches {
		for _, counter := range results {
			a.Searches += valueOf(counter)
		}
	}
	for _, counter := range t.plans {
		a.Plans += valueOf(counter)
	}
	var took dto.Metric
	if err := t.decisionTook.Write(&took); err == nil {
		for _, bucket := range took.GetHistogram().GetBucket() {
			a.Bounds = append(a.Bounds, bucket.GetUpperBound())
			a.Within = append(a.Within, bucket.GetCumulativeCount())
		}
	}
	return a
}

// Asked reports whether anything was decided, searched or planned since it was called
// before, for whoever leaves the processors to those who ask.
func (m *Metrics) Asked() bool { return m.asked.Swap(false) }

// noteAsked writes only where that is news, for all processors read it.
func (m *Metrics) noteAsked() {
	if !m.asked.Load() {
		m.asked.Store(true)
	}
}

// valueOf is what a counter has come to.
func valueOf(counter prometheus.Counter) uint64 {
	var value dto.Metric
	if err := counter.Write(&value); err != nil {
		return 0
	}
	return uint64(value.GetCounter().GetValue())
}
