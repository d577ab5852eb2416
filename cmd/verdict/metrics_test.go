package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// scrape is what /metrics tells: the values of Verdict's own series, by their names with
// their labels.
func scrape(t *testing.T, s *service) map[string]string {
	t.Helper()
	response, err := http.Get("http://" + s.httpListener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", response.Status, err, text)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "verdict_") {
			at := strings.LastIndex(line, " ")
			all[line[:at]] = strings.TrimSpace(line[at+1:])
		}
	}
	return all
}

// post asks over HTTP, and returns the status.
func post(t *testing.T, s *service, method, path, body string, headers ...string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.httpListener.Addr().String()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for _, header := range headers {
		request.Header.Set(header, "x")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// TestTheServiceCounts asks the real server in all ways, and finds it in /metrics.
func TestTheServiceCounts(t *testing.T) {
	s, r := startService(t, defaultConfig(), shippedBundle("workforce"))
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	directory := verdictv1.NewDirectoryServiceClient(conn)
	if _, err := directory.Write(t.Context(), &verdictv1.WriteRequest{Tenant: "workforce", Changes: []*verdictv1.Change{
		{Change: &verdictv1.Change_PutEntity{PutEntity: &verdictv1.Entity{Type: "user", Id: "mina"}}},
	}}); err != nil {
		t.Fatal(err)
	}
	access := verdictv1.NewAccessServiceClient(conn)
	question := &verdictv1.CheckAccessRequest{
		Tenant: "workforce", Subject: &verdictv1.Subject{Type: "user", Id: "mina"},
		Action: &verdictv1.Action{Name: "read"}, Resource: &verdictv1.Resource{Type: "patient_record", Id: "p-102"},
	}
	if _, err := access.CheckAccess(t.Context(), question); err != nil {
		t.Fatal(err)
	}
	if _, err := access.CheckAccess(t.Context(), &verdictv1.CheckAccessRequest{Tenant: "nobody"}); err == nil {
		t.Fatal("a check of no tenant is answered")
	}
	for _, none := range []string{"/verdict.v1.AccessService/None", "/verdict.v1.None/Check"} {
		if err := conn.Invoke(t.Context(), none, question, new(verdictv1.CheckAccessResponse)); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s is answered %v", none, err)
		}
	}
	if code := post(t, s, http.MethodPost, "/tenants/workforce/access/v1/evaluation", readPlan); code != http.StatusOK {
		t.Fatalf("HTTP answers %d", code)
	}
	post(t, s, http.MethodPost, "/access/v1/evaluation", readPlan) // of no tenant
	got := scrape(t, s)
	for series, want := range map[string]string{
		`verdict_decisions_total{evaluator="closure",outcome="deny",tenant="workforce"}`:                  "2",
		`verdict_decision_duration_seconds_count{tenant="workforce"}`:                                     "2",
		`verdict_grpc_calls_total{code="OK",method="/verdict.v1.AccessService/CheckAccess"}`:              "1",
		`verdict_grpc_calls_total{code="InvalidArgument",method="/verdict.v1.AccessService/CheckAccess"}`: "1",
		`verdict_grpc_calls_total{code="OK",method="/verdict.v1.DirectoryService/Write"}`:                 "1",
		`verdict_grpc_calls_total{code="Unimplemented",method="other"}`:                                   "2",
		`verdict_http_requests_total{code="200",route="/access/v1/evaluation"}`:                           "1",
		`verdict_http_requests_total{code="404",route="/access/v1/evaluation"}`:                           "1",
		`verdict_refusals_total{cause="not_found",protocol="http"}`:                                       "1",
		`verdict_refusals_total{cause="invalid",protocol="grpc"}`:                                         "1",
		`verdict_policy_activations_total{result="activated",tenant="workforce"}`:                         "1",
		`verdict_policy_active{evaluator="closure",tenant="workforce"}`:                                   "1",
		`verdict_directory_tenant_revision{tenant="workforce"}`:                                           "1",
		`verdict_directory_commits_total{tenant="workforce"}`:                                             "1",
		`verdict_directory_revision`:                                                                      "1",
		`verdict_store_commit_duration_seconds_count`:                                                     "1",
		`verdict_ready`:                        "1",
		`verdict_connections{protocol="grpc"}`: "1",
		`verdict_grpc_calls_under_way`:         "0",
	} {
		if got[series] != want {
			t.Errorf("%s is %q, want %q", series, got[series], want)
		}
	}
	for _, series := range []string{`verdict_cache_bytes{cache="entities"}`, `verdict_cache_misses_total{cache="entities"}`} {
		if got[series] == "0" || got[series] == "" {
			t.Errorf("%s is %q", series, got[series])
		}
	}
}

// TestNoCallerMakesASeries sends what a hostile caller could have the service name after
// it: tenants, types, actions, methods, paths, headers and their like.
func TestNoCallerMakesASeries(t *testing.T) {
	s, r := startService(t, defaultConfig(), shippedBundle("workforce"))
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := scrape(t, s)
	names := 40
	if testing.Short() { // one client, one after another
		names = 4
	}
	for i := range names {
		name := fmt.Sprintf("hostile%d", i)
		ctx := metadata.AppendToOutgoingContext(t.Context(), name, name)
		for _, tenant := range []string{name, "workforce", "x\n{}\""} {
			_, _ = verdictv1.NewAccessServiceClient(conn).CheckAccess(ctx, &verdictv1.CheckAccessRequest{
				Tenant: tenant, Subject: &verdictv1.Subject{Type: name, Id: name},
				Action: &verdictv1.Action{Name: name}, Resource: &verdictv1.Resource{Type: name, Id: name},
			})
			_, _ = verdictv1.NewDirectoryServiceClient(conn).Write(ctx, &verdictv1.WriteRequest{Tenant: tenant, Changes: []*verdictv1.Change{
				{Change: &verdictv1.Change_PutEntity{PutEntity: &verdictv1.Entity{Type: name, Id: name}}},
			}})
		}
		_ = conn.Invoke(ctx, "/"+name+"/"+name, &emptypb.Empty{}, &emptypb.Empty{})
		_ = conn.Invoke(ctx, "/verdict.v1.AccessService/"+name, &emptypb.Empty{}, &emptypb.Empty{})
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/"+name+"/stream")
		if err == nil {
			_ = stream.RecvMsg(&emptypb.Empty{})
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		_, _ = verdictv1.NewPolicyServiceClient(conn).GetStatus(canceled, &verdictv1.GetStatusRequest{Tenant: name})
		post(t, s, http.MethodPost, "/tenants/"+name+"/access/v1/evaluation", readPlan, name)
		post(t, s, http.MethodPost, "/"+name, readPlan)
		post(t, s, strings.ToUpper(name), "/access/v1/evaluation", readPlan)
		post(t, s, http.MethodGet, "/metrics?name="+name, "")
		post(t, s, http.MethodPost, "/access/v1/evaluation", "{"+name)
	}
	after := scrape(t, s)
	for series := range after {
		if _, was := before[series]; !was {
			t.Errorf("there is a series %s", series)
		}
	}
	if len(before) != len(after) || len(before) == 0 {
		t.Errorf("%d series have become %d", len(before), len(after))
	}
}

// TestMetricsCanBeTurnedOff holds that then there is nothing at their path.
func TestMetricsCanBeTurnedOff(t *testing.T) {
	cfg := defaultConfig()
	cfg.Metrics.Enabled = false
	s, _ := startService(t, cfg, shippedBundle("workforce"))
	if code := post(t, s, http.MethodGet, "/metrics", ""); code != http.StatusNotFound {
		t.Errorf("status %d, want 404", code)
	}
}
