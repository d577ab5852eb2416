package metrics

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verdictpdp/verdict/api/authz"
)

// httpFamilies are the metrics of requests over HTTP.
type httpFamilies struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	routes   map[string]*route
}

// otherRoute is the label of requests to a path at which there is nothing, and
// otherCode that of statuses that are none of ours.
const (
	otherRoute = "other"
	otherCode  = "other"
)

// httpStatuses are the statuses that answers have, with the kinds of the errors that
// they are refusals of, if they are.
func httpStatuses() map[int]authz.Kind {
	const none = authz.Internal
	return map[int]authz.Kind{
		http.StatusOK: none, http.StatusBadRequest: authz.Invalid, http.StatusUnauthorized: authz.Unauthenticated,
		http.StatusForbidden: authz.PermissionDenied, http.StatusNotFound: authz.NotFound, http.StatusMethodNotAllowed: authz.Invalid,
		http.StatusRequestTimeout: none, http.StatusConflict: authz.FailedPrecondition, http.StatusRequestEntityTooLarge: authz.LimitExceeded,
		http.StatusUnsupportedMediaType: authz.Invalid, http.StatusTooManyRequests: authz.Overloaded, 499: none,
		http.StatusInternalServerError: none, http.StatusServiceUnavailable: authz.Unavailable, http.StatusGatewayTimeout: none,
	}
}

func newHTTPFamilies(registry *prometheus.Registry) httpFamilies {
	f := httpFamilies{
		requests: counters(registry, "verdict_http_requests_total",
			"Requests over HTTP, by the path that they are for, whichever the tenant, and the status of the answer.", "route", "code"),
		took: histograms(registry, "verdict_http_request_duration_seconds",
			"How long requests over HTTP took, from their header to the end of their answer.", slowBuckets(), "route"),
		routes: map[string]*route{},
	}
	for _, name := range []string{
		"/access/v1/evaluation", "/access/v1/evaluations",
		"/access/v1/search/subject", "/access/v1/search/resource", "/access/v1/search/action", "/access/v1/plan",
		"/.well-known/authzen-configuration", "/proxy/nginx", "/proxy/forwarded", "/healthz", "/readyz", "/metrics", otherRoute,
	} {
		f.routes[name] = f.route(name)
	}
	return f
}

// A route is what is counted of one path.
type route struct {
	requests map[int]prometheus.Counter // by status
	others   prometheus.Counter
	took     prometheus.Observer
	// refuses says that a status tells what became of the call, and not of a decision or
	// of the server.
	refuses bool
}

func (f *httpFamilies) route(name string) *route {
	r := &route{
		requests: map[int]prometheus.Counter{},
		others:   f.requests.WithLabelValues(name, otherCode),
		took:     f.took.WithLabelValues(name),
		refuses:  !strings.HasPrefix(name, "/proxy/") && name != "/readyz",
	}
	for status := range httpStatuses() {
		r.requests[status] = f.requests.WithLabelValues(name, strconv.Itoa(status))
	}
	return r
}

// routeOf finds the route of a pattern of http.ServeMux that has served a request: it
// ends with its name, behind the path of a public URL and a tenant, or holds it before
// them.
func (f *httpFamilies) routeOf(pattern string) *route {
	if r, known := f.routes[pattern]; known {
		return r
	}
	for name, r := range f.routes {
		if name != otherRoute && (strings.HasSuffix(pattern, name) || strings.HasPrefix(pattern, "/.well-known/") && strings.HasPrefix(pattern, name+"/")) {
			return r
		}
	}
	return f.routes[otherRoute]
}

// Requests counts the requests that a handler answers. Those behind it must serve the
// same request, or one whose Pattern comes back to it, for it is by that of
// http.ServeMux that the path is known.
func (m *Metrics) Requests(next http.Handler) http.Handler {
	statuses := httpStatuses()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		// It is no other request's later, for whoever still holds it could answer that.
		recorder := &recorder{ResponseWriter: w, status: http.StatusInternalServerError}
		defer func() {
			route := m.http.routeOf(r.Pattern)
			status := recorder.status
			counter, known := route.requests[status]
			if !known {
				counter = route.others
			}
			counter.Inc()
			route.took.Observe(time.Since(start).Seconds())
			if kind := statuses[status]; known && route.refuses && kind != authz.Internal {
				m.refused(HTTP, kind)
			}
		}()
		next.ServeHTTP(recorder, r)
		recorder.write(http.StatusOK)
	})
}

// A recorder notes the status of an answer: 500 where a panic ends it before there is
// one.
type recorder struct {
	http.ResponseWriter
	status  int
	written bool
}

// write notes a status, if it is the first. An informational one is not the answer's.
func (r *recorder) write(status int) {
	if !r.written && status >= http.StatusOK {
		r.status, r.written = status, true
	}
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	r.write(status)
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(text []byte) (int, error) {
	r.write(http.StatusOK)
	return r.ResponseWriter.Write(text)
}

// Unwrap lets an http.ResponseController reach what is below.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
