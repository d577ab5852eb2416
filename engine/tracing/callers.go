package tracing

import (
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// callersPerSecond is how many calls a second are told of because the caller's part of
// their trace is. Who calls is not known yet when that is decided, and whoever reaches an
// address can say so: without a bound they would have each of their calls told of, and
// crowd out those of others.
const callersPerSecond = 1000

// A callersSampler samples what the caller's part of the trace is sampled of, so many a
// second.
type callersSampler struct {
	perSecond int
	clock     func() time.Time

	mu    sync.Mutex
	began time.Time // of the second
	taken int       // in it
}

// ShouldSample implements sdktrace.Sampler.
func (c *callersSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if c.take() {
		result.Decision = sdktrace.RecordAndSample
	}
	return result
}

func (c *callersSampler) take() bool {
	now := c.clock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if since := now.Sub(c.began); since >= time.Second || since < 0 {
		c.began, c.taken = now, 0
	}
	if c.taken >= c.perSecond {
		return false
	}
	c.taken++
	return true
}

// Description implements sdktrace.Sampler.
func (c *callersSampler) Description() string { return "callers, bounded" }
