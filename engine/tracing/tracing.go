// Package tracing tells a collector of OpenTelemetry what became of single requests: a
// span for each call, as OpenTelemetry's own instrumentation of gRPC and net/http makes
// it, and one for each decision in it. A caller's trace goes on here, by the W3C's
// traceparent.
//
// A span tells of a decision the tenant, the outcome, the decision's id and the revisions
// that it rests on, and of nobody: subjects, resources and contexts stay out of it. Where
// there is no tracing, nothing of this stands in the way of a request. Start with New.
package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc/filters"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"google.golang.org/grpc/stats"
)

// Options say what is traced and where it is told.
type Options struct {
	// Endpoint is the collector's URL, which speaks OTLP over gRPC: http without TLS, or
	// https. Empty leaves it to OTEL_EXPORTER_OTLP_ENDPOINT and its like.
	Endpoint string
	// Sampling is which part of the traces that begin here is told of, from 0 to 1. A
	// caller's own trace is told of if the caller's part of it is, and no more of those
	// than 1,000 calls a second. OTEL_TRACES_SAMPLER stands over both.
	Sampling float64
	// Version is the program's.
	Version string
	// Logger hears when spans cannot be told.
	Logger *zap.Logger
}

// A Tracing makes spans and sends them, until it is closed. What the collector does not
// take in time is dropped: requests do not wait for it.
type Tracing struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// scope names who makes the spans of decisions.
const scope = "github.com/verdictpdp/verdict"

// New begins to trace. It does not wait for the collector, which may come later.
func New(ctx context.Context, o Options) (*Tracing, error) {
	ownSampler := strings.TrimSpace(os.Getenv("OTEL_TRACES_SAMPLER"))
	if err := checkSampler(ownSampler, os.Getenv("OTEL_TRACES_SAMPLER_ARG")); err != nil {
		return nil, err
	}
	sender, err := newSender(o.Endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(ctx, sender)
	if err != nil {
		return nil, errors.Join(err, sender.Stop(ctx))
	}
	// What the environment says of the service, as by OTEL_SERVICE_NAME, comes last and
	// wins.
	about, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", "verdict"), attribute.String("service.version", o.Version)),
		resource.WithFromEnv())
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, errors.Join(err, exporter.Shutdown(ctx))
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithBatcher(exporter), sdktrace.WithResource(about)}
	if ownSampler == "" {
		options = append(options, sdktrace.WithSampler(sampler(o.Sampling, time.Now)))
	}
	// OpenTelemetry has one place in a process for such errors, and would print them.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		o.Logger.Warn("traces could not be told", zap.Error(err))
	}))
	provider := sdktrace.NewTracerProvider(options...)
	return &Tracing{provider: provider, tracer: provider.Tracer(scope)}, nil
}

// checkSampler refuses what the environment says of a sampler where OpenTelemetry would go on
// with one that tells of everything.
func checkSampler(name, part string) error {
	switch strings.ToLower(name) {
	case "", "always_on", "always_off", "parentbased_always_on", "parentbased_always_off":
		return nil
	case "traceidratio", "parentbased_traceidratio":
		if part = strings.TrimSpace(part); part == "" {
			return nil
		}
		if of, err := strconv.ParseFloat(part, 64); err != nil || !(of >= 0 && of <= 1) {
			return fmt.Errorf("OTEL_TRACES_SAMPLER_ARG %q is no part: expected a number from 0 to 1, such as 0.01", part)
		}
		return nil
	}
	return fmt.Errorf("OTEL_TRACES_SAMPLER %q is not known: expected always_on, always_off or traceidratio, each also with parentbased_ before it; or set tracing.sampling instead", name)
}

// sampler is what decides which traces are told of.
func sampler(part float64, clock func() time.Time) sdktrace.Sampler {
	return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(part),
		sdktrace.WithRemoteParentSampled(&callersSampler{perSecond: callersPerSecond, clock: clock}))
}

// closeTime is how long Close takes at most.
const closeTime = 3 * time.Second

// Close sends what is left, and ends.
func (t *Tracing) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	return t.provider.Shutdown(ctx)
}

// propagator reads a caller's trace. Baggage, which a caller may fill with anything, is
// none of ours.
func propagator() propagation.TextMapPropagator { return propagation.TraceContext{} }

// Calls makes a span of each call over gRPC, but for those of the health service.
func (t *Tracing) Calls() stats.Handler {
	return otelgrpc.NewServerHandler(
		otelgrpc.WithTracerProvider(t.provider),
		otelgrpc.WithPropagators(propagator()),
		otelgrpc.WithMeterProvider(metricnoop.NewMeterProvider()),
		otelgrpc.WithFilter(filters.Not(filters.HealthCheck())))
}

// Requests makes a span of each request over HTTP, but for those for health and metrics.
func (t *Tracing) Requests(next http.Handler) http.Handler {
	return otelhttp.NewHandler(next, "request",
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithPropagators(propagator()),
		otelhttp.WithMeterProvider(metricnoop.NewMeterProvider()),
		otelhttp.WithFilter(func(r *http.Request) bool {
			switch r.URL.Path {
			case "/healthz", "/readyz", "/metrics":
				return false
			}
			return true
		}))
}
