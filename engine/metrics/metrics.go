// Package metrics is Verdict seen from outside: what it does, as Prometheus's metrics.
//
// What happens is told to it by those where it happens, through the small interfaces
// that they declare (pdp.Observer, grpcapi.Meter, …), so that they know nothing of
// metrics; what stands still is read when somebody looks, see Sources. It keeps
// Prometheus's own library, github.com/prometheus/client_golang, to itself: that counts
// without locks or allocations, keeps native and classic histograms in one, and writes
// every format that scrapers ask for.
//
// No caller can make a series: the values of labels are the configured tenants and
// lists in this package and in api/authz, and each series is there from the beginning.
// Start with New; docs/metrics.md tells what each metric means.
package metrics

import (
	"net/http"
	"regexp"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// Options say what there is to count.
type Options struct {
	// Tenants are those that are configured.
	Tenants []string
	// Evaluators are the names of those that policies run on.
	Evaluators []string
	// Version is the program's.
	Version string
}

// Metrics count what happens. They are safe for use by many goroutines at once.
type Metrics struct {
	registry *prometheus.Registry
	tenants  map[string]*tenant
	// asked says that somebody has since Asked was called.
	asked atomic.Bool
	// evaluators are the names of those that policies run on.
	evaluators []string
	limits     map[authz.Limit]prometheus.Counter
	refusals   map[Protocol]map[authz.Kind]prometheus.Counter
	grpc       grpcFamilies
	http       httpFamilies
	commits    prometheus.Histogram
	// commitFailures counts the commits that did not come to the disk.
	commitFailures prometheus.Counter
}

// New makes metrics in which nothing has been counted.
func New(o Options) *Metrics {
	registry := prometheus.NewRegistry()
	m := &Metrics{registry: registry, tenants: make(map[string]*tenant, len(o.Tenants)), evaluators: o.Evaluators}
	registry.MustRegister(
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(
			collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile(`^/sched/latencies:seconds$`)})),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	build := gauges(registry, "verdict_build_info", "The version of the program, as a label.", "version", "go")
	build.WithLabelValues(o.Version, runtime.Version()).Set(1)
	m.limits = limitCounters(registry)
	m.refusals = refusalCounters(registry)
	m.grpc = newGRPCFamilies(registry)
	m.http = newHTTPFamilies(registry)
	m.commits = histograms(registry, "verdict_store_commit_duration_seconds",
		"How long commits of the directory took to come to the disk.", slowBuckets()).WithLabelValues().(prometheus.Histogram)
	m.commitFailures = counters(registry, "verdict_store_commit_failures_total",
		"Commits that did not come to the disk, after which the directory takes no more writes.").WithLabelValues()
	families := newTenantFamilies(registry)
	for _, name := range o.Tenants {
		m.tenants[name] = families.of(name, o.Evaluators)
	}
	return m
}

const (
	// scrapesAtOnce is how many may look at a time: two Prometheus servers, and a person.
	scrapesAtOnce = 4
	// scrapeTime is how long one may take.
	scrapeTime = 10 * time.Second
)

// Handler serves the metrics, in the format that is asked for: native histograms only
// come in Prometheus's protobuf format. At most a few are served at a time, and others
// get 503.
func (m *Metrics) Handler(logger *zap.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            zap.NewStdLog(logger),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: scrapesAtOnce,
		Timeout:             scrapeTime,
	})
}

// Limited counts that a limit was reached.
func (m *Metrics) Limited(limit authz.Limit) {
	counter, named := m.limits[limit]
	if !named {
		counter = m.limits[authz.OtherLimit]
	}
	counter.Inc()
}

// Committed counts a commit of the directory.
func (m *Metrics) Committed(took time.Duration, err error) {
	if err != nil {
		m.commitFailures.Inc()
		return
	}
	m.commits.Observe(took.Seconds())
}

// limitCounters count the limits reached.
func limitCounters(registry *prometheus.Registry) map[authz.Limit]prometheus.Counter {
	family := counters(registry, "verdict_limits_reached_total",
		"Limits that a decision, a call or a connection reached, by the limit's name in the configuration.", "limit")
	all := make(map[authz.Limit]prometheus.Counter)
	for _, limit := range authz.Limits() {
		all[limit] = family.WithLabelValues(limit.String())
	}
	return all
}
