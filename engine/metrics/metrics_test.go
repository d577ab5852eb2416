package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/codes"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/metrics"
	"github.com/verdictpdp/verdict/engine/pdp"
)

var goVersion = runtime.Version()

// newMetrics count what happens to two tenants, blue and green.
func newMetrics(t testing.TB) *metrics.Metrics {
	t.Helper()
	m := metrics.New(metrics.Options{Tenants: []string{"blue", "green"}, Evaluators: []string{"closure", "topdown"}, Version: "1.2.3"})
	m.Read(metrics.Sources{
		Ready: func() error { return errors.New("nothing is there") },
		Policies: func() []activation.Status {
			return []activation.Status{{Tenant: "blue", Evaluator: "closure", ActivatedAt: time.Unix(1000, 0)}, {Tenant: "green", LastError: "no policy"}}
		},
		Directory: func(context.Context) (directory.State, error) {
			return directory.State{Oldest: 3, Latest: 9, Tables: 100, Logs: 20, Free: 500, LastChanges: map[string]uint64{"blue": 8, "green": 0}}, nil
		},
		Entities:    func() metrics.Cache { return metrics.Cache{Bytes: 10, MaxBytes: 90, Entries: 2, Hits: 7, Misses: 3} },
		Searches:    func() metrics.Cache { return metrics.Cache{} },
		Turns:       func() admission.State { return admission.State{Taken: 2, Limit: 8, Checks: 6, Longs: 1} },
		UnderWay:    func() int64 { return 4 },
		Connections: map[metrics.Protocol]func() int{metrics.GRPC: func() int { return 5 }},
	})
	return m
}

// scraped are the values of all series but those of Go's runtime and of the process, by
// their names with their labels.
func scraped(t testing.TB, m *metrics.Metrics) map[string]string {
	t.Helper()
	answer := httptest.NewRecorder()
	m.Handler(zap.NewNop()).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d: %s", answer.Code, answer.Body)
	}
	all := map[string]string{}
	for line := range strings.Lines(answer.Body.String()) {
		if strings.HasPrefix(line, "verdict_") {
			at := strings.LastIndex(line, " ")
			all[line[:at]] = strings.TrimSpace(line[at+1:])
		}
	}
	return all
}

// TestWhatHappensIsCounted does each thing once, or so often that it can be told from
// others, and looks at what has become of all series.
func TestWhatHappensIsCounted(t *testing.T) {
	steps := authz.Exceeded(authz.StepsLimit, "too many")
	for _, tt := range []struct {
		name string
		do   func(*metrics.Metrics)
		want map[string]string
	}{
		{
			"an allow", func(m *metrics.Metrics) { m.Decided("blue", "closure", true, nil, 3*time.Microsecond) },
			map[string]string{
				`verdict_decisions_total{evaluator="closure",outcome="allow",tenant="blue"}`: "1",
				`verdict_decision_duration_seconds_count{tenant="blue"}`:                     "1",
				`verdict_decision_duration_seconds_bucket{tenant="blue",le="5e-06"}`:         "1",
				`verdict_decision_duration_seconds_bucket{tenant="blue",le="2.5e-06"}`:       "0",
			},
		},
		{
			"a deny", func(m *metrics.Metrics) { m.Decided("green", "topdown", false, nil, time.Second) },
			map[string]string{`verdict_decisions_total{evaluator="topdown",outcome="deny",tenant="green"}`: "1"},
		},
		{
			"a limit", func(m *metrics.Metrics) { m.Decided("blue", "closure", false, steps, time.Second) },
			map[string]string{
				`verdict_decisions_total{evaluator="closure",outcome="error",tenant="blue"}`: "1",
				`verdict_decision_errors_total{kind="limit_exceeded",tenant="blue"}`:         "1",
				`verdict_limits_reached_total{limit="steps"}`:                                "1",
			},
		},
		{
			"a fault", func(m *metrics.Metrics) { m.Decided("blue", "closure", false, errors.New("x"), time.Second) },
			map[string]string{`verdict_decision_errors_total{kind="internal",tenant="blue"}`: "1"},
		},
		{
			"searches", func(m *metrics.Metrics) {
				m.Searched("blue", pdp.ByIndex, 40, nil, time.Millisecond)
				m.Searched("blue", 0, 0, steps, time.Millisecond)
			},
			map[string]string{
				`verdict_searches_total{method="index",result="ok",tenant="blue"}`:   "1",
				`verdict_searches_total{method="none",result="error",tenant="blue"}`: "1",
				`verdict_search_candidates_total{tenant="blue"}`:                     "40",
				`verdict_search_duration_seconds_count{tenant="blue"}`:               "2",
				`verdict_limits_reached_total{limit="steps"}`:                        "1",
			},
		},
		{
			"plans", func(m *metrics.Metrics) { m.Planned("green", errors.New("x"), 0); m.Planned("green", nil, 0) },
			map[string]string{`verdict_plans_total{result="error",tenant="green"}`: "1", `verdict_plans_total{result="ok",tenant="green"}`: "1"},
		},
		{
			"reloads", func(m *metrics.Metrics) {
				m.Activated("green", activation.Activated, 0)
				m.Activated("green", activation.Unchanged, 0)
				m.Activated("green", activation.Failed, 0)
			},
			map[string]string{
				`verdict_policy_activations_total{result="activated",tenant="green"}`: "1",
				`verdict_policy_activations_total{result="unchanged",tenant="green"}`: "1",
				`verdict_policy_activations_total{result="failed",tenant="green"}`:    "1",
			},
		},
		{
			"commits", func(m *metrics.Metrics) {
				m.Changed("green", 4, make([]authz.EntityRef, 3))
				m.Committed(time.Millisecond, nil)
				m.Committed(time.Millisecond, errors.New("no disk"))
			},
			map[string]string{
				`verdict_directory_commits_total{tenant="green"}`:          "1",
				`verdict_directory_changed_entities_total{tenant="green"}`: "3",
				`verdict_store_commit_duration_seconds_count`:              "1",
				`verdict_store_commit_failures_total`:                      "1",
			},
		},
		{
			"calls", func(m *metrics.Metrics) {
				method := m.Method("/x/Y", false)
				method.Called(codes.OK, nil, time.Millisecond)
				method.Called(codes.ResourceExhausted, authz.Exceeded(authz.MessageLimit, "large"), time.Millisecond)
			},
			map[string]string{
				`verdict_grpc_calls_total{code="OK",method="/x/Y"}`:                       "1",
				`verdict_grpc_calls_total{code="ResourceExhausted",method="/x/Y"}`:        "1",
				`verdict_grpc_call_duration_seconds_count{method="/x/Y"}`:                 "2",
				`verdict_refusals_total{cause="limit_exceeded",protocol="grpc"}`:          "1",
				`verdict_limits_reached_total{limit="message"}`:                           "1",
				`verdict_refusals_total{cause="limit_exceeded",protocol="http"}`:          "0",
				`verdict_grpc_calls_total{code="Unauthenticated",method="/x/Y"}`:          "0",
				`verdict_grpc_call_duration_seconds_bucket{method="/x/Y",le="+Inf"}`:      "2",
				`verdict_grpc_call_duration_seconds_bucket{method="/x/Y",le="0.001"}`:     "2",
				`verdict_grpc_call_duration_seconds_bucket{method="/x/Y",le="0.00025"}`:   "0",
				`verdict_refusals_total{cause="unauthenticated",protocol="grpc"}`:         "0",
				`verdict_decisions_total{evaluator="other",outcome="deny",tenant="blue"}`: "0",
			},
		},
		{
			"nothing", func(*metrics.Metrics) {},
			map[string]string{
				`verdict_build_info{go="` + goVersion + `",version="1.2.3"}`: "1",
				`verdict_ready`: "0",
				`verdict_policy_active{evaluator="closure",tenant="blue"}`:              "1",
				`verdict_policy_active{evaluator="topdown",tenant="blue"}`:              "0",
				`verdict_policy_active{evaluator="closure",tenant="green"}`:             "0",
				`verdict_policy_activated_timestamp_seconds{tenant="blue"}`:             "1000",
				`verdict_policy_last_activation_successful{tenant="green"}`:             "0",
				`verdict_directory_revision`:                                            "9",
				`verdict_directory_oldest_revision`:                                     "3",
				`verdict_directory_tenant_revision{tenant="blue"}`:                      "8",
				`verdict_store_bytes{part="tables"}`:                                    "100",
				`verdict_store_free_bytes`:                                              "500",
				`verdict_cache_hits_total{cache="entities"}`:                            "7",
				`verdict_cache_max_bytes{cache="entities"}`:                             "90",
				`verdict_evaluations_under_way`:                                         "2",
				`verdict_evaluations_max`:                                               "8",
				`verdict_evaluations_waiting{work="check"}`:                             "6",
				`verdict_evaluations_waiting{work="long"}`:                              "1",
				`verdict_grpc_calls_under_way`:                                          "4",
				`verdict_connections{protocol="grpc"}`:                                  "5",
				`verdict_decision_errors_total{kind="permission_denied",tenant="blue"}`: "0",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMetrics(t)
			tt.do(m)
			got := scraped(t, m)
			for series, want := range tt.want {
				if got[series] != want {
					t.Errorf("%s is %q, want %q", series, got[series], want)
				}
			}
		})
	}
}

// TestWhatIsUnknownMakesNoSeries does what a hostile caller, or a fault, could have it
// do, and finds the same series as before.
func TestWhatIsUnknownMakesNoSeries(t *testing.T) {
	m := newMetrics(t)
	method := m.Method("/x/Y", false)
	before := scraped(t, m)
	for i := range 100 {
		hostile := fmt.Sprintf("hostile-%d\n{}\"", i)
		m.Decided(hostile, "closure", true, nil, 0)
		m.Decided("blue", hostile, false, authz.Errorf(authz.Kind(i), "%s", hostile), time.Duration(i)<<20)
		m.Searched(hostile, pdp.ByScan, 1, nil, 0)
		m.Planned(hostile, nil, 0)
		m.Activated(hostile, activation.Failed, 0)
		m.Changed(hostile, 1, nil)
		m.Limited(authz.Limit(i))
		method.Called(codes.Code(i), authz.Errorf(authz.Overloaded, "%s", hostile), time.Duration(i)<<30)
		ask(m, func(w http.ResponseWriter, r *http.Request) {
			r.Pattern = "/" + hostile
			w.WriteHeader(200 + i)
		})
	}
	after := scraped(t, m)
	for series := range after {
		if _, was := before[series]; !was {
			t.Errorf("there is a series %s", series)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d series have become %d", len(before), len(after))
	}
}

// ask has a handler that is counted answer a request.
func ask(m *metrics.Metrics, handle http.HandlerFunc) {
	defer func() { _ = recover() }() // as a server does
	m.Requests(handle).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("HOSTILE", "/x", nil))
}

func TestRequestsAreCountedByRoute(t *testing.T) {
	for _, tt := range []struct {
		name, pattern string
		answer        func(http.ResponseWriter)
		want          []string
	}{
		{"an answer", "/access/v1/evaluation", func(w http.ResponseWriter) { w.WriteHeader(200) }, []string{`verdict_http_requests_total{code="200",route="/access/v1/evaluation"}`}},
		{"of a tenant", "/base/tenants/{tenant}/access/v1/evaluations", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "x") }, []string{`verdict_http_requests_total{code="200",route="/access/v1/evaluations"}`}},
		{"metadata", "/.well-known/authzen-configuration/tenants/{tenant}", func(http.ResponseWriter) {}, []string{`verdict_http_requests_total{code="200",route="/.well-known/authzen-configuration"}`}},
		{"nowhere", "/", func(w http.ResponseWriter) { w.WriteHeader(404) }, []string{`verdict_http_requests_total{code="404",route="other"}`, `verdict_refusals_total{cause="not_found",protocol="http"}`}},
		{"a refusal", "/access/v1/evaluation", func(w http.ResponseWriter) { w.WriteHeader(429) }, []string{`verdict_http_requests_total{code="429",route="/access/v1/evaluation"}`, `verdict_refusals_total{cause="overloaded",protocol="http"}`}},
		{"a proxy's denial", "/proxy/nginx", func(w http.ResponseWriter) { w.WriteHeader(403) }, []string{`verdict_http_requests_total{code="403",route="/proxy/nginx"}`}},
		{"not ready", "/readyz", func(w http.ResponseWriter) { w.WriteHeader(503) }, []string{`verdict_http_requests_total{code="503",route="/readyz"}`}},
		{"information first", "/healthz", func(w http.ResponseWriter) { w.WriteHeader(103); w.WriteHeader(200) }, []string{`verdict_http_requests_total{code="200",route="/healthz"}`}},
		{"a status of somebody else", "/healthz", func(w http.ResponseWriter) { w.WriteHeader(418) }, []string{`verdict_http_requests_total{code="other",route="/healthz"}`}},
		{"a panic", "/healthz", func(http.ResponseWriter) { panic("x") }, []string{`verdict_http_requests_total{code="500",route="/healthz"}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMetrics(t)
			ask(m, func(w http.ResponseWriter, r *http.Request) {
				r.Pattern = tt.pattern
				tt.answer(w)
			})
			counted := map[string]bool{}
			for series, value := range scraped(t, m) {
				if value == "1" && (strings.HasPrefix(series, "verdict_http_requests") || strings.HasPrefix(series, "verdict_refusals")) {
					counted[series] = true
				}
			}
			for _, series := range tt.want {
				if !counted[series] {
					t.Errorf("%s is not 1; %v are", series, counted)
				}
				delete(counted, series)
			}
			if len(counted) > 0 {
				t.Errorf("%v are counted as well", counted)
			}
		})
	}
}

// TestAnAnswerCanBeFlushed holds that what stands between a handler and its connection
// hides nothing of it.
func TestAnAnswerCanBeFlushed(t *testing.T) {
	m := newMetrics(t)
	answer := httptest.NewRecorder()
	m.Requests(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	})).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	if !answer.Flushed {
		t.Error("nothing was flushed")
	}
}

// TestADirectoryThatCannotBeReadLeavesOutItsOwn looks while a service closes.
func TestADirectoryThatCannotBeReadLeavesOutItsOwn(t *testing.T) {
	m := metrics.New(metrics.Options{Tenants: []string{"blue"}})
	none := func() metrics.Cache { return metrics.Cache{} }
	m.Read(metrics.Sources{
		Ready: func() error { return nil }, Policies: func() []activation.Status { return nil },
		Directory: func(context.Context) (directory.State, error) { return directory.State{}, errors.New("closed") },
		Entities:  none, Searches: none, Turns: func() admission.State { return admission.State{} }, UnderWay: func() int64 { return 0 },
	})
	got := scraped(t, m)
	if _, there := got["verdict_directory_revision"]; there || got["verdict_ready"] != "1" {
		t.Errorf("got %v", got)
	}
}

// TestCountingADecisionAllocatesNothing holds the cost that each decision has.
func TestCountingADecisionAllocatesNothing(t *testing.T) {
	m := newMetrics(t)
	i := 0
	if allocations := testing.AllocsPerRun(1000, func() {
		i++
		m.Decided("blue", "closure", i%2 == 0, nil, time.Duration(i%50)*time.Microsecond)
	}); allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkDecided(b *testing.B) {
	m := newMetrics(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.Decided("blue", "closure", true, nil, time.Duration(i%50)*time.Microsecond)
	}
}

func BenchmarkCalled(b *testing.B) {
	method := newMetrics(b).Method("/x/Y", false)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		method.Called(codes.OK, nil, time.Duration(i%50)*time.Microsecond)
	}
}

func TestActivity(t *testing.T) {
	m := newMetrics(t)
	m.Decided("blue", "closure", true, nil, 2*time.Microsecond)
	m.Decided("blue", "topdown", true, nil, 2*time.Microsecond)
	m.Decided("blue", "closure", false, nil, 20*time.Microsecond)
	m.Decided("blue", "closure", false, errors.New("x"), time.Minute)
	m.Searched("blue", pdp.ByScan, 7, nil, 0)
	m.Searched("blue", pdp.ByIndex, 7, nil, 0)
	m.Planned("blue", errors.New("x"), 0)
	got := m.Activity("blue")
	if got.Allows != 2 || got.Denies != 1 || got.Errors != 1 || got.Searches != 2 || got.Plans != 1 {
		t.Errorf("got %+v", got)
	}
	within := map[float64]uint64{}
	for i, bound := range got.Bounds {
		within[bound] = got.Within[i]
	}
	if within[1e-6] != 0 || within[2.5e-6] != 2 || within[2.5e-5] != 3 || within[1] != 3 {
		t.Errorf("within the bounds: %v", within)
	}
	if other := m.Activity("nobody"); other.Allows != 0 || len(other.Bounds) != 0 {
		t.Errorf("nobody has done %+v", other)
	}
}
