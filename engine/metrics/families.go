package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// counters makes and registers counters.
func counters(registry *prometheus.Registry, name, help string, labels ...string) *prometheus.CounterVec {
	family := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	registry.MustRegister(family)
	return family
}

// gauges makes and registers gauges.
func gauges(registry *prometheus.Registry, name, help string, labels ...string) *prometheus.GaugeVec {
	family := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	registry.MustRegister(family)
	return family
}

// histograms makes and registers histograms of seconds, each both a native one, whose
// buckets grow by a tenth, and a classic one.
func histograms(registry *prometheus.Registry, name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	family := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}, labels)
	registry.MustRegister(family)
	return family
}

// fastBuckets are those of decisions, which take microseconds.
func fastBuckets() []float64 {
	return []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 2.5e-2, 1e-1, 1}
}

// slowBuckets are those of what waits for a disk or a network.
func slowBuckets() []float64 {
	return []float64{2.5e-5, 1e-4, 2.5e-4, 1e-3, 2.5e-3, 1e-2, 2.5e-2, 1e-1, 2.5e-1, 1, 2.5, 10}
}
