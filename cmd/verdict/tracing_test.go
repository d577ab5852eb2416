package main

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/prototext"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// A collecting is a collector of spans.
type collecting struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*tracev1.Span
	about []string // the resources
}

func (c *collecting) Export(_ context.Context, told *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range told.GetResourceSpans() {
		c.about = append(c.about, of.GetResource().String())
		for _, from := range of.GetScopeSpans() {
			c.spans = append(c.spans, from.GetSpans()...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// startCollector serves a collector, and is its URL.
func startCollector(t *testing.T) (*collecting, string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &collecting{}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, c)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return c, "http://" + listener.Addr().String()
}

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	sampled      = "00-" + callersTrace + "-b7ad6b7169203331-01"
	unsampled    = "00-" + callersTrace + "-b7ad6b7169203331-00"
)

// TestTraces asks the real server within a caller's trace, over gRPC and HTTP, and looks at
// what a collector is told when it has ended.
func TestTraces(t *testing.T) {
	for _, tt := range []struct {
		name     string
		parent   string
		sampling float64
		told     bool
	}{
		{"a caller's trace", sampled, 0, true},
		{"a caller's trace that is not told of", unsampled, 1, false},
		{"traces that begin here", "", 1, true},
		{"traces that begin here and are none of the sample", "", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spans, endpoint := startCollector(t)
			cfg := defaultConfig()
			cfg.Tracing = tracingConfig{Enabled: true, Endpoint: endpoint, Sampling: tt.sampling}
			s, end, ended := startEnding(t, cfg, shippedBundle("workforce"))
			askTraced(t, s, tt.parent)
			end()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			names := map[string]int{}
			for _, span := range spans.spans {
				names[span.GetName()]++
				if trace := hex.EncodeToString(span.GetTraceId()); tt.parent != "" && trace != callersTrace {
					t.Errorf("%s is in the trace %s", span.GetName(), trace)
				}
				text := prototext.Format(span)
				for _, secret := range []string{"zaphod", "p-42424242", "verysecret"} {
					if strings.Contains(text, secret) {
						t.Errorf("a span tells of %s: %s", secret, text)
					}
				}
				if span.GetName() == "decide" && (!strings.Contains(text, `"workforce"`) || !strings.Contains(text, `"verdict.outcome"`) || !strings.Contains(text, `"deny"`) || !strings.Contains(text, `"verdict.policy_revision"`)) {
					t.Errorf("a decision tells %s", text)
				}
			}
			want := map[string]int{"decide": 2, "decide batch": 1, "search": 1, "verdict.v1.AccessService/CheckAccess": 1, "POST /tenants/{tenant}/access/v1/evaluation": 1}
			if !tt.told {
				want = map[string]int{}
			}
			for name, n := range want {
				if names[name] != n {
					t.Errorf("there are %d spans %s, want %d, of %v", names[name], name, n, names)
				}
			}
			if !tt.told && len(names) > 0 {
				t.Errorf("there are spans %v", names)
			}
			if tt.told && !strings.Contains(spans.about[0], "verdict") {
				t.Errorf("the service is %s", spans.about[0])
			}
		})
	}
}

// askTraced asks in all ways, within a trace if there is one.
func askTraced(t *testing.T, s *service, parent string) {
	t.Helper()
	conn, err := (&remote{server: dialable(s.grpcListener.Addr())}).dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := t.Context()
	if parent != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", parent, "baggage", "k=verysecret")
	}
	access := verdictv1.NewAccessServiceClient(conn)
	question := &verdictv1.CheckAccessRequest{
		Tenant: "workforce", Subject: &verdictv1.Subject{Type: "user", Id: "zaphod"},
		Action: &verdictv1.Action{Name: "read"}, Resource: &verdictv1.Resource{Type: "patient_record", Id: "p-42424242"},
	}
	if _, err := access.CheckAccess(ctx, question); err != nil {
		t.Fatal(err)
	}
	if _, err := access.BatchCheckAccess(ctx, &verdictv1.BatchCheckAccessRequest{Tenant: "workforce", Items: []*verdictv1.BatchCheckAccessItem{{Subject: question.Subject, Action: question.Action, Resource: question.Resource}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := access.SearchResources(ctx, &verdictv1.SearchResourcesRequest{
		Tenant: "workforce", Subject: question.Subject, Action: question.Action, Resource: &verdictv1.Resource{Type: "patient_record"},
	}); err != nil {
		t.Fatal(err)
	}
	body := `{"subject":{"type":"user","id":"zaphod"},"action":{"name":"read"},"resource":{"type":"patient_record","id":"p-42424242"}}`
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.httpListener.Addr().String()+"/tenants/workforce/access/v1/evaluation", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if parent != "" {
		request.Header.Set("traceparent", parent)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("HTTP answers %s", response.Status)
	}
}

// TestACollectorThatIsAwayHoldsNobodyUp ends a service whose spans nobody takes.
func TestACollectorThatIsAwayHoldsNobodyUp(t *testing.T) {
	cfg := defaultConfig()
	cfg.Tracing = tracingConfig{Enabled: true, Endpoint: "http://127.0.0.1:1", Sampling: 1}
	s, end, ended := startEnding(t, cfg, shippedBundle("workforce"))
	askTraced(t, s, "")
	end()
	select {
	case <-ended: // it may say that the spans could not be told
	case <-time.After(time.Minute):
		t.Fatal("the service does not end")
	}
}

func TestTracingIsOffByDefault(t *testing.T) {
	s, _ := startService(t, defaultConfig(), shippedBundle("workforce"))
	if s.tracing != nil || s.tracedCalls() != nil || s.decider() != any(s.decisions) {
		t.Error("something stands before the decisions")
	}
}

func TestTracingSettings(t *testing.T) {
	for _, tt := range []struct {
		name    string
		tracing tracingConfig
		refused string
	}{
		{"default", defaultTracing(), ""},
		{"http", tracingConfig{Endpoint: "http://collector:4317", Sampling: 1}, ""},
		{"https", tracingConfig{Endpoint: "https://collector:4317"}, ""},
		{"no scheme", tracingConfig{Endpoint: "collector:4317"}, "tracing.endpoint"},
		{"a path of none", tracingConfig{Endpoint: "http://collector:4317/"}, ""},
		{"that of OTLP over HTTP", tracingConfig{Endpoint: "http://collector:4318/v1/traces"}, "tracing.endpoint: has a path, as OTLP over HTTP has"},
		{"another scheme", tracingConfig{Endpoint: "ftp://collector"}, "tracing.endpoint"},
		{"more than all", tracingConfig{Sampling: 1.01}, "tracing.sampling"},
		{"less than nothing", tracingConfig{Sampling: -0.01}, "tracing.sampling"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := defaultConfig()
			cfg.Tracing = tt.tracing
			err := cfg.validate()
			if refused := err != nil; refused != (tt.refused != "") || refused && !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("got %v", err)
			}
		})
	}
}
