package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/engine/activation"
)

// startDemo serves the shipped bundles and their data on loopback until the
// test ends.
func startDemo(t *testing.T) *service {
	t.Helper()
	cfg := defaultConfig()
	cfg.Limits.Evaluation = unhurriedEvaluation
	var tenants []activation.Tenant
	for _, name := range demoTenants {
		tenants = append(tenants, shippedBundle(name))
	}
	s, _ := startService(t, cfg, tenants...)
	for _, tenant := range demoTenants {
		if err := s.loadSample(t.Context(), tenant); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestSamplesOnEveryWayIn asks each shipped request over gRPC, over AuthZEN and
// with verdict check, and holds all three to what the sample says.
func TestSamplesOnEveryWayIn(t *testing.T) {
	s := startDemo(t)
	r := remote{server: s.grpcListener.Addr().String()}
	server, err := r.ask()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()

	for _, tenant := range demoTenants {
		samples, err := sampleRequests(tenant)
		if err != nil {
			t.Fatal(err)
		}
		for _, sample := range samples {
			t.Run(sample.Scenario+" "+sample.Title, func(t *testing.T) {
				decision, err := server.Check(t.Context(), *sample.Request.authz())
				if err != nil {
					t.Fatal(err)
				}
				over := newDecisionReport(decision)
				sample.check(t, "gRPC", over)

				var out, errs bytes.Buffer
				code := run(t.Context(), sample.checkArgs(r.server), streams{out: &out, err: &errs})
				var checked decisionReport
				if err := json.Unmarshal(out.Bytes(), &checked); err != nil {
					t.Fatalf("verdict check printed %q and %q: %v", &out, &errs, err)
				}
				sample.check(t, "verdict check", checked)
				if (code == exitOK) != checked.Allowed {
					t.Errorf("exit code = %d for allowed = %v", code, checked.Allowed)
				}

				sample.check(t, "AuthZEN", sample.askAuthZEN(t, s.httpListener.Addr().String()))
			})
		}
	}
}

func (s sample) check(t *testing.T, way string, got decisionReport) {
	t.Helper()
	if got.Error != nil {
		t.Errorf("%s: error %v", way, got.Error)
	}
	if got.Allowed != s.Allowed {
		t.Errorf("%s: allowed = %v, want %v (%q)", way, got.Allowed, s.Allowed, got.Reasons)
	}
	if !got.Allowed && len(got.Reasons) == 0 {
		t.Errorf("%s: a deny without a reason", way)
	}
	for _, reason := range s.Reasons {
		if !slices.Contains(got.Reasons, reason) {
			t.Errorf("%s: reasons %q lack %q", way, got.Reasons, reason)
		}
	}
	if len(s.Obligations) > 0 {
		if diff := cmp.Diff(compactJSON(s.Obligations), compactJSON(got.Obligations)); diff != "" {
			t.Errorf("%s: obligations (-want +got):\n%s", way, diff)
		}
	}
}

func (s sample) checkArgs(server string) []string {
	r := s.Request
	args := []string{
		"check", r.Subject.Type + ":" + r.Subject.ID, r.Action.Name, r.Resource.Type + ":" + r.Resource.ID,
		"--tenant", r.Tenant, "--server", server, "--output", "json",
	}
	if len(r.Context) > 0 {
		args = append(args, "--context", compactJSON(r.Context))
	}
	for part, properties := range map[string]map[string]any{
		"subject": r.Subject.Properties, "action": r.Action.Properties, "resource": r.Resource.Properties,
	} {
		for name, value := range properties {
			args = append(args, "--property", part+"."+name+":="+compactJSON(value))
		}
	}
	return args
}

func (s sample) askAuthZEN(t *testing.T, address string) decisionReport {
	t.Helper()
	url := fmt.Sprintf("http://%s/tenants/%s/access/v1/evaluation", address, s.Request.Tenant)
	request := s.Request
	request.Tenant = ""
	response, err := http.Post(url, "application/json", strings.NewReader(compactJSON(request)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		t.Fatalf("AuthZEN: %s: %s", response.Status, text)
	}
	var answer struct {
		Decision bool           `json:"decision"`
		Context  decisionReport `json:"context"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("AuthZEN: %s: %v", text, err)
	}
	report := answer.Context
	report.Allowed = answer.Decision
	return report
}

// TestSamplesCoverEveryScenario holds that each scenario is shown from both
// sides: what it allows, and the near miss.
func TestSamplesCoverEveryScenario(t *testing.T) {
	scenarios := map[string]int{"W": 13, "C": 10, "H": 2}
	shown := map[string]map[bool]bool{}
	for _, tenant := range demoTenants {
		samples, err := sampleRequests(tenant)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range samples {
			if shown[s.Scenario] == nil {
				shown[s.Scenario] = map[bool]bool{}
			}
			shown[s.Scenario][s.Allowed] = true
		}
	}
	for world, n := range scenarios {
		for i := range n {
			name := fmt.Sprintf("%s%d", world, i+1)
			if !shown[name][true] || !shown[name][false] {
				t.Errorf("%s is shown with allowed = %v, want both", name, shown[name])
			}
		}
	}
}

func TestLoopbackURL(t *testing.T) {
	tests := map[string]string{
		defaultHTTP: "http://" + defaultHTTP, "localhost:8182": "http://localhost:8182", "[::1]:80": "http://[::1]:80",
		"0.0.0.0:8182": "", ":8182": "", "127.0.0.1:0": "", "pdp.example.com:80": "", "unix:///run/verdict.sock": "",
	}
	for address, want := range tests {
		if got := loopbackURL(address); got != want {
			t.Errorf("the URL of %s is %q, want %q", address, got, want)
		}
	}
}
