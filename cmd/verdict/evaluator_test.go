package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// TestWhichEvaluatorDecides asks a server what its policies run on, and why.
func TestWhichEvaluatorDecides(t *testing.T) {
	bundle := t.TempDir()
	write(t, filepath.Join(bundle, "authz.rego"), evaltest.Unplannable)
	tenants := []activation.Tenant{bundleAt(authz.DefaultTenant, tenantConfig{Bundle: bundle})}
	for _, name := range demoTenants {
		tenants = append(tenants, shippedBundle(name))
	}
	cfg := defaultConfig()
	cfg.Limits.Evaluation = unhurriedEvaluation
	_, r := startService(t, cfg, tenants...)
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	status, err := verdictv1.NewPolicyServiceClient(conn).GetStatus(t.Context(), &verdictv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range status.GetPolicies() {
		evaluator, reason := "closure", ""
		if policy.GetTenant() == authz.DefaultTenant {
			evaluator, reason = "topdown", "authz.rego:9"
		}
		if policy.GetEvaluator() != evaluator || !strings.Contains(policy.GetFallbackReason(), reason) || (policy.GetFallbackReason() == "") != (reason == "") {
			t.Errorf("%s runs on %s because of %q, want %s because of %q", policy.GetTenant(), policy.GetEvaluator(), policy.GetFallbackReason(), evaluator, reason)
		}
	}
	client := verdictv1.NewAccessServiceClient(conn)
	for id, want := range map[string]bool{"mina": true, "olga": false} {
		decision, err := client.CheckAccess(t.Context(), &verdictv1.CheckAccessRequest{
			Subject:  &verdictv1.Subject{Type: "user", Id: id},
			Action:   &verdictv1.Action{Name: "read"},
			Resource: &verdictv1.Resource{Type: "document", Id: "plan"},
		})
		if err != nil || decision.GetAllowed() != want || decision.GetError() != nil {
			t.Errorf("%s: %v, %v, want %t", id, decision, err, want)
		}
	}
}
