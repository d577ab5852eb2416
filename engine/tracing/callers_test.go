package tracing

import (
	"context"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// TestCallersTracesAreBounded has callers, who may be strangers, say of more calls than
// are told of in a second that they are to be told of.
func TestCallersTracesAreBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	told := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(told), sdktrace.WithSampler(sampler(0, func() time.Time { return now })))
	call := func(flags trace.TraceFlags) {
		parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true})
		ctx, span := provider.Tracer("").Start(trace.ContextWithRemoteSpanContext(context.Background(), parent), "call")
		_, within := provider.Tracer("").Start(ctx, "decide")
		within.End()
		span.End()
	}
	tells := func(calls int) {
		t.Helper()
		if got := len(told.Ended()); got != 2*calls {
			t.Errorf("%d spans are told of, expected %d: two a call", got, 2*calls)
		}
	}
	for range callersPerSecond + 1 {
		call(trace.FlagsSampled)
	}
	tells(callersPerSecond)
	now = now.Add(time.Second)
	call(0)
	tells(callersPerSecond)
	call(trace.FlagsSampled)
	tells(callersPerSecond + 1)
	now = now.Add(-time.Hour) // a clock without a reading of the process's
	for range callersPerSecond {
		call(trace.FlagsSampled)
	}
	tells(2*callersPerSecond + 1)
}
