package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/directory"
)

// Sources are asked when somebody looks. Each is required.
type Sources struct {
	// Ready says what keeps the service from being ready; nil when it is.
	Ready func() error
	// Policies are the states of the tenants' policies.
	Policies func() []activation.Status
	// Directory is where the directory stands.
	Directory func(context.Context) (directory.State, error)
	// Entities is the cache of entities, and Searches that of the candidates of
	// searches.
	Entities, Searches func() Cache
	// Turns are the evaluations, and who waits for one.
	Turns func() admission.State
	// UnderWay is how many calls over gRPC are being answered.
	UnderWay func() int64
	// Connections is how many connections each way in has.
	Connections map[Protocol]func() int
}

// A Cache is what a cache holds and how often it had what was asked for.
type Cache struct {
	Bytes, MaxBytes, Entries, Hits, Misses int64
}

// Read adds the metrics of what is asked when somebody looks. It may be called once.
func (m *Metrics) Read(from Sources) {
	m.registry.MustRegister(&reader{from: from, evaluators: m.evaluators, descriptions: describe()})
}

// readTime is how long one look at the sources may take.
const readTime = 5 * time.Second

// A reader reads the sources when it is collected.
type reader struct {
	from       Sources
	evaluators []string
	descriptions
}

// descriptions are those of the metrics that are read.
type descriptions struct {
	ready, policyActive, policyActivatedAt, policyHealthy,
	latest, oldest, tenantRevision, storeBytes, storeFree, storeWritable, storeDamaged, storeUnverified,
	expired, merges, reclaimed, backupRevision, backedUpAt, auditBytes, auditMaxBytes, auditOldest,
	cacheBytes, cacheMaxBytes, cacheEntries, cacheHits, cacheMisses,
	evaluating, evaluatingMost, waiting,
	underWay, connections *prometheus.Desc
}

func describe() descriptions {
	of := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return descriptions{
		ready:             of("verdict_ready", "1 where the service is ready, as /readyz says."),
		policyActive:      of("verdict_policy_active", "1 where the tenant has a policy that runs on this evaluator.", "tenant", "evaluator"),
		policyActivatedAt: of("verdict_policy_activated_timestamp_seconds", "When the tenant's policy became active; 0 while none is.", "tenant"),
		policyHealthy:     of("verdict_policy_last_activation_successful", "0 where the tenant's bundle as it stands could not become active.", "tenant"),
		latest:            of("verdict_directory_revision", "The directory's latest revision."),
		oldest:            of("verdict_directory_oldest_revision", "The oldest revision that can be read."),
		tenantRevision:    of("verdict_directory_tenant_revision", "The revision in which the tenant's directory was changed last; 0 for never.", "tenant"),
		storeBytes:        of("verdict_store_bytes", "The size of the store on its disk.", "part"),
		storeFree:         of("verdict_store_free_bytes", "What may still be written to the store's file system. Not there for a store in memory."),
		storeWritable:     of("verdict_store_writable", "0 where writes are refused, as when the disk is nearly full; decisions go on."),
		storeDamaged:      of("verdict_store_damaged", "1 once damage was found in the store, which has to be restored from a backup."),
		storeUnverified:   of("verdict_store_unverified_tables", "Tables of the store in which reads are not verified, since the process has too many files open."),
		expired:           of("verdict_directory_expired_revisions_total", "Revisions that have left the retention."),
		merges:            of("verdict_store_merges_total", "How often the store's tables were merged because nobody wrote."),
		reclaimed:         of("verdict_store_reclaimed_bytes_total", "What merging gave back to the disk."),
		backupRevision:    of("verdict_backup_revision", "Up to which revision the last backup goes."),
		backedUpAt:        of("verdict_backup_timestamp_seconds", "When the last backup was made of the directory, full or incremental; 0 for never."),
		auditBytes:        of("verdict_audit_bytes", "About what the records of who changed what take. Not there until those of before the start are counted."),
		auditMaxBytes:     of("verdict_audit_max_bytes", "The bound of verdict_audit_bytes, directory.audit_size, beyond which the oldest go."),
		auditOldest:       of("verdict_audit_oldest_timestamp_seconds", "When the oldest record of who changed what was made; 0 where there is none."),
		cacheBytes:        of("verdict_cache_bytes", "The estimated memory of what the cache holds.", "cache"),
		cacheMaxBytes:     of("verdict_cache_max_bytes", "The bound of verdict_cache_bytes.", "cache"),
		cacheEntries:      of("verdict_cache_entries", "How much the cache holds.", "cache"),
		cacheHits:         of("verdict_cache_hits_total", "What was found in the cache.", "cache"),
		cacheMisses:       of("verdict_cache_misses_total", "What was not found in the cache.", "cache"),
		evaluating:        of("verdict_evaluations_under_way", "Evaluations of policies that take their turn."),
		evaluatingMost:    of("verdict_evaluations_max", "The bound of verdict_evaluations_under_way."),
		waiting:           of("verdict_evaluations_waiting", "Who waits for a turn to evaluate, with a single check or with long work.", "work"),
		underWay:          of("verdict_grpc_calls_under_way", "Calls over gRPC that are being answered, streams included."),
		connections:       of("verdict_connections", "Connections that are open.", "protocol"),
	}
}

// Describe implements prometheus.Collector.
func (d descriptions) Describe(to chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{
		d.ready, d.policyActive, d.policyActivatedAt, d.policyHealthy,
		d.latest, d.oldest, d.tenantRevision, d.storeBytes, d.storeFree, d.storeWritable, d.storeDamaged, d.storeUnverified,
		d.expired, d.merges, d.reclaimed, d.backupRevision, d.backedUpAt, d.auditBytes, d.auditMaxBytes, d.auditOldest,
		d.cacheBytes, d.cacheMaxBytes, d.cacheEntries, d.cacheHits, d.cacheMisses,
		d.evaluating, d.evaluatingMost, d.waiting,
		d.underWay, d.connections,
	} {
		to <- one
	}
}

// Collect implements prometheus.Collector.
func (r *reader) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	gauge(r.ready, oneIf(r.from.Ready() == nil))
	for _, status := range r.from.Policies() {
		for _, evaluator := range r.evaluators {
			gauge(r.policyActive, oneIf(status.Evaluator == evaluator), status.Tenant, evaluator)
		}
		if status.Evaluator != "" {
			gauge(r.policyActivatedAt, float64(status.ActivatedAt.Unix()), status.Tenant)
		} else {
			gauge(r.policyActivatedAt, 0, status.Tenant)
		}
		gauge(r.policyHealthy, oneIf(status.LastError == ""), status.Tenant)
	}
	r.collectDirectory(gauge, counter)
	for name, read := range map[string]func() Cache{"entities": r.from.Entities, "searches": r.from.Searches} {
		cache := read()
		gauge(r.cacheBytes, float64(cache.Bytes), name)
		gauge(r.cacheMaxBytes, float64(cache.MaxBytes), name)
		gauge(r.cacheEntries, float64(cache.Entries), name)
		counter(r.cacheHits, cache.Hits, name)
		counter(r.cacheMisses, cache.Misses, name)
	}
	turns := r.from.Turns()
	gauge(r.evaluating, float64(turns.Taken))
	gauge(r.evaluatingMost, float64(turns.Limit))
	gauge(r.waiting, float64(turns.Checks), "check")
	gauge(r.waiting, float64(turns.Longs), "long")
	gauge(r.underWay, float64(r.from.UnderWay()))
	for protocol, open := range r.from.Connections {
		gauge(r.connections, float64(open()), string(protocol))
	}
}

// collectDirectory tells of the directory. One that cannot be read leaves its metrics
// out of what is collected, which fails nothing else: that is what alerts ask for.
func (r *reader) collectDirectory(gauge func(d *prometheus.Desc, value float64, labels ...string), counter func(d *prometheus.Desc, value int64, labels ...string)) {
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	state, err := r.from.Directory(ctx)
	if err != nil {
		return
	}
	gauge(r.latest, float64(state.Latest))
	gauge(r.oldest, float64(state.Oldest))
	for tenant, revision := range state.LastChanges {
		gauge(r.tenantRevision, float64(revision), tenant)
	}
	gauge(r.storeBytes, float64(state.Tables), "tables")
	gauge(r.storeBytes, float64(state.Logs), "logs")
	gauge(r.storeWritable, oneIf(state.Refused == nil))
	gauge(r.storeDamaged, oneIf(state.Damage != nil))
	gauge(r.storeUnverified, float64(state.Unverified))
	counter(r.expired, int64(state.Housekeeping.Expired))
	counter(r.merges, int64(state.Housekeeping.Merges))
	counter(r.reclaimed, int64(state.Housekeeping.Reclaimed))
	gauge(r.backupRevision, float64(state.BackedUp.Revision))
	gauge(r.backedUpAt, secondsOf(state.BackedUp.At))
	if state.ChangeRecords.Bytes >= 0 {
		gauge(r.auditBytes, float64(state.ChangeRecords.Bytes))
	}
	gauge(r.auditMaxBytes, float64(state.ChangeRecords.MaxBytes))
	gauge(r.auditOldest, secondsOf(state.ChangeRecords.Oldest))
	if state.Free >= 0 {
		gauge(r.storeFree, float64(state.Free))
	}
}

// secondsOf is a time in seconds since 1970; 0 for the zero time.
func secondsOf(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.Unix())
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
