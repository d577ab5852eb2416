package main

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// TestFloodOfOneTenantLeavesOthersServed has one tenant ask for far more than can be
// decided, by a policy that takes long, while another asks for little.
func TestFloodOfOneTenantLeavesOthersServed(t *testing.T) {
	slow := t.TempDir()
	write(t, filepath.Join(slow, "authz.rego"), `package authz

allow if {
	some a in numbers.range(1, 2000)
	some b in numbers.range(1, 2000)
	a + b < 0
}
`)
	cfg := defaultConfig()
	cfg.Limits.Evaluation = duration(time.Minute) // what ends it is the limit of its steps
	cfg.Limits.Steps = 100_000
	cfg.Admission.Wait = duration(time.Minute) // for whoever is next, however slow the machine is
	_, r := startService(t, cfg, bundleAt("default", constantBundle(t)), bundleAt("slow", tenantConfig{Bundle: slow}))
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	theirs, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	access := verdictv1.NewAccessServiceClient(theirs)

	// From here on the server knows whose connection it is.
	if allowed, err := checkOver(t.Context(), conn); err != nil || !allowed {
		t.Fatalf("before the flood: %v, %v", allowed, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var flooding sync.WaitGroup
	var refused, begun atomic.Int64
	for range 200 {
		flooding.Go(func() {
			for ctx.Err() == nil {
				begun.Add(1)
				asking, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
				_, err := access.CheckAccess(asking, &verdictv1.CheckAccessRequest{
					Tenant: "slow", Subject: &verdictv1.Subject{Type: "user", Id: "mina"}, Action: &verdictv1.Action{Name: "read"}, Resource: &verdictv1.Resource{Type: "document", Id: "plan"},
				})
				cancel()
				if status.Code(err) == codes.ResourceExhausted {
					refused.Add(1)
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
	defer flooding.Wait()
	defer stop()
	awaitCalls(t, "refused calls of the flood", func() bool { return refused.Load() > 0 })
	const checks = 20
	for range checks {
		if allowed, err := checkOver(t.Context(), conn); err != nil || !allowed {
			t.Errorf("beside the flood: %v, %v", allowed, err)
		}
	}
}

func TestAdmissionIsRefusedThatCannotWork(t *testing.T) {
	tests := []struct {
		name, file, want string
	}{
		{"no time to wait", "admission: {wait: 0s}", "admission.wait"},
		{"no delay", "admission: {delay: -1ms}", "admission.delay"},
		{"too heavy", "tenants: {blue: {bundle: ., weight: 1001}}", "tenants.blue.weight"},
		{"as heavy as can be", "tenants: {blue: {bundle: ., weight: 1000}}", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "verdict.yaml")
			write(t, path, tt.file+"\n")
			cfg, err := loadConfig(path, nil)
			if err == nil {
				err = cfg.validate()
			}
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want it to name %q", err, tt.want)
			}
		})
	}
}
