package main

import (
	"net/http"

	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/metrics"
	"github.com/verdictpdp/verdict/engine/server/grpcapi"
)

// A metricsConfig is whether the HTTP address tells metrics.
type metricsConfig struct {
	Enabled bool `yaml:"enabled" env:"ENABLED"`
}

// newMetrics count what happens to some tenants.
func newMetrics(tenants []activation.Tenant) *metrics.Metrics {
	names := make([]string, len(tenants))
	for i, tenant := range tenants {
		names[i] = tenant.Name
	}
	return metrics.New(metrics.Options{
		Tenants:    names,
		Evaluators: []string{closure.New().Name(), topdown.New().Name()},
		Version:    readVersion().Version,
	})
}

// readMetrics has metrics ask the service for what stands still.
func (s *service) readMetrics() {
	s.metrics.Read(metrics.Sources{
		Ready:     s.ready,
		Policies:  s.programs.Status,
		Directory: s.directory.State,
		Entities:  func() metrics.Cache { return metrics.Cache(s.cache.Stats()) },
		Searches:  func() metrics.Cache { return metrics.Cache(s.decisions.RememberedSearches()) },
		Turns:     s.turns.State,
		UnderWay:  s.grpc.UnderWay,
		Connections: map[metrics.Protocol]func() int{
			metrics.GRPC: s.grpcConnections.count, metrics.HTTP: s.httpConnections.count,
		},
	})
}

// grpcMeter counts the calls of a method.
func (s *service) grpcMeter(method string, streams bool) grpcapi.Meter {
	return s.metrics.Method(method, streams)
}

// withMetrics adds the metrics to what is answered over HTTP, if they are to be had
// there.
func (s *service) withMetrics(further map[string]http.Handler) map[string]http.Handler {
	if !s.config.Metrics.Enabled {
		return further
	}
	if further == nil {
		further = map[string]http.Handler{}
	}
	further["GET /metrics"] = s.metrics.Handler(s.logger)
	return further
}
