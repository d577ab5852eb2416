package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
)

// TestOneBrokenBundleLeavesTheOthersServed asks a server one of whose tenants has a
// policy that does not compile.
func TestOneBrokenBundleLeavesTheOthersServed(t *testing.T) {
	broken := t.TempDir()
	write(t, filepath.Join(broken, "authz.rego"), "package authz\n\nallow :=\n")
	s, r := startService(t, defaultConfig(), bundleAt("default", constantBundle(t)), bundleAt("blue", tenantConfig{Bundle: broken}))

	code, body := readyz(t, s)
	if code != http.StatusOK || !strings.Contains(body, "ready") || !strings.Contains(body, "tenant blue has no active policy") {
		t.Errorf("/readyz is %d, %s: want 200 and what is missing", code, body)
	}
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	health, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{Service: "verdict.v1.AccessService"})
	if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("the health is %v, %v", health, err)
	}

	c, err := client.New(r.server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if allowed, err := c.Allowed(t.Context(), "user:mina", "read", "document:plan"); err != nil || !allowed {
		t.Errorf("the tenant whose policy compiles: %v, %v", allowed, err)
	}
	request := authz.Request{
		Tenant: "blue", Subject: authz.Subject{Type: "user", ID: "mina"}, Action: authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "document", ID: "plan"},
	}
	if decision, err := c.Check(t.Context(), request); authz.KindOf(err) != authz.Unavailable || decision.Allowed {
		t.Errorf("the tenant whose policy does not: %v, %v, want Unavailable", decision, err)
	}
}

// readyz asks for the readiness.
func readyz(t *testing.T, s *service) (code int, body string) {
	t.Helper()
	response, err := http.Get("http://" + s.httpListener.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
