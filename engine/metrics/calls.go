package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Protocol is a way in, as a label.
type Protocol string

// The ways in.
const (
	GRPC Protocol = "grpc"
	HTTP Protocol = "http"
)

// refusing are the kinds of errors by which a call is refused: by its caller's fault,
// or because it could not be taken. What went wrong in a call is not among them.
func refusing() []authz.Kind {
	return []authz.Kind{
		authz.Invalid, authz.NotFound, authz.FailedPrecondition, authz.LimitExceeded, authz.Unavailable,
		authz.Unauthenticated, authz.PermissionDenied, authz.Overloaded,
	}
}

func refusalCounters(registry *prometheus.Registry) map[Protocol]map[authz.Kind]prometheus.Counter {
	family := counters(registry, "verdict_refusals_total",
		"Calls that were refused, by the kind of error. A decision that denies is none.", "protocol", "cause")
	all := map[Protocol]map[authz.Kind]prometheus.Counter{}
	for _, protocol := range []Protocol{GRPC, HTTP} {
		all[protocol] = map[authz.Kind]prometheus.Counter{}
		for _, kind := range refusing() {
			all[protocol][kind] = family.WithLabelValues(string(protocol), kind.String())
		}
	}
	return all
}

// refused counts a call that ended with an error of a kind, if that is a refusal.
func (m *Metrics) refused(protocol Protocol, kind authz.Kind) {
	if counter, counts := m.refusals[protocol][kind]; counts {
		counter.Inc()
	}
}

// grpcFamilies are the metrics of calls over gRPC.
type grpcFamilies struct {
	calls *prometheus.CounterVec
	took  *prometheus.HistogramVec
}

func newGRPCFamilies(registry *prometheus.Registry) grpcFamilies {
	return grpcFamilies{
		calls: counters(registry, "verdict_grpc_calls_total",
			"Calls over gRPC that have ended, streams included, by their status; other stands for all methods that there are none of. Those whose message was too large to be read are not among them.",
			"method", "code"),
		took: histograms(registry, "verdict_grpc_call_duration_seconds",
			"How long calls took that are no streams, from their message to their answer.", slowBuckets(), "method"),
	}
}

// codeNames are the gRPC codes, by their numbers.
func codeNames() []string {
	var all []string
	for code := codes.OK; code <= codes.Unauthenticated; code++ {
		all = append(all, code.String())
	}
	return all
}

// A Method counts the calls of one method of the gRPC API.
type Method struct {
	metrics *Metrics
	calls   []prometheus.Counter // by code
	took    prometheus.Observer  // nil for streams
}

// Method makes what counts the calls of a method, such as
// /verdict.v1.AccessService/CheckAccess, which must be one that the server has, or a name
// that stands for all others: what callers write must make no series.
func (m *Metrics) Method(name string, streams bool) *Method {
	counting := &Method{metrics: m, calls: labelled(m.grpc.calls.MustCurryWith(prometheus.Labels{"method": name}), codeNames())}
	if !streams {
		counting.took = m.grpc.took.WithLabelValues(name)
	}
	return counting
}

// Called counts a call that ended with a status, because of an error where it is not OK.
func (c *Method) Called(code codes.Code, err error, took time.Duration) {
	if int(code) >= len(c.calls) {
		code = codes.Unknown
	}
	c.calls[code].Inc()
	if c.took != nil {
		c.took.Observe(took.Seconds())
	}
	if code == codes.OK {
		return
	}
	kind := authz.KindOf(err)
	c.metrics.refused(GRPC, kind)
	if slices.Contains([]authz.Kind{authz.LimitExceeded, authz.Overloaded}, kind) {
		c.metrics.Limited(authz.LimitOf(err))
	}
}
