package main

import (
	"context"
	"net/http"
	"net/url"

	"google.golang.org/grpc/stats"

	"github.com/verdictpdp/verdict/engine/tracing"
)

// A tracingConfig is whether and where single requests are told of.
type tracingConfig struct {
	Enabled  bool    `yaml:"enabled" env:"ENABLED"`
	Endpoint string  `yaml:"endpoint" env:"ENDPOINT"`
	Sampling float64 `yaml:"sampling" env:"SAMPLING"`
}

// defaultTracing is off, and where it is on tells of few requests.
func defaultTracing() tracingConfig { return tracingConfig{Sampling: 0.01} }

func (c tracingConfig) validate(refuse func(field, format string, args ...any)) {
	if c.Endpoint != "" {
		at, err := url.Parse(c.Endpoint)
		switch {
		case err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https":
			refuse("tracing.endpoint", "is no URL: expected one such as http://localhost:4317, or https")
		case at.Path != "" && at.Path != "/":
			refuse("tracing.endpoint", "has a path, as OTLP over HTTP has: expected where the collector speaks OTLP over gRPC, such as http://localhost:4317")
		}
	}
	if !(c.Sampling >= 0 && c.Sampling <= 1) {
		refuse("tracing.sampling", "%v: expected a part from 0 to 1, such as 0.01", c.Sampling)
	}
}

// openTracing begins to trace, if that is on.
func (s *service) openTracing() (err error) {
	if !s.config.Tracing.Enabled {
		return nil
	}
	s.tracing, err = tracing.New(context.Background(), tracing.Options{
		Endpoint: s.config.Tracing.Endpoint, Sampling: s.config.Tracing.Sampling,
		Version: readVersion().Version, Logger: s.logger,
	})
	return err
}

// decider is what answers requests.
func (s *service) decider() tracing.Decider {
	if s.tracing == nil {
		return s.decisions
	}
	return s.tracing.Decider(s.decisions)
}

// tracedCalls is told of calls over gRPC; nil without tracing.
func (s *service) tracedCalls() stats.Handler {
	if s.tracing == nil {
		return nil
	}
	return s.tracing.Calls()
}

// tracedRequests is a handler of requests over HTTP that are told of.
func (s *service) tracedRequests(handler http.Handler) http.Handler {
	if s.tracing == nil {
		return handler
	}
	return s.tracing.Requests(handler)
}
