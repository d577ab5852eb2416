package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/admission"
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

// TestBothAddressesRefuseWhatIsTooMuch has as many calls under way as may be, and asks for
// one more over gRPC and over HTTP.
func TestBothAddressesRefuseWhatIsTooMuch(t *testing.T) {
	s, r := startService(t, defaultConfig(), bundleAt("default", constantBundle(t)))
	ways := map[string]func() (refused bool, err error){
		"gRPC": func() (bool, error) {
			conn, err := r.dial() // of which it is not known yet for whom it asks
			if err != nil {
				return false, err
			}
			defer conn.Close()
			_, err = checkOver(t.Context(), conn)
			if status.Code(err) != codes.ResourceExhausted {
				return false, err
			}
			for _, detail := range status.Convert(err).Details() {
				if info, is := detail.(*errdetails.RetryInfo); is && info.GetRetryDelay().AsDuration() > 0 {
					return true, nil
				}
			}
			return true, fmt.Errorf("no hint when to try again: %w", err)
		},
		"HTTP": func() (bool, error) {
			response, err := postEvaluation(http.DefaultClient, s)
			if err != nil || response.StatusCode != http.StatusTooManyRequests {
				return false, err
			}
			if response.Header.Get("Retry-After") == "" {
				return true, errors.New("no hint when to try again")
			}
			return true, nil
		},
	}
	shares := map[string]*admission.Share{"gRPC": nil, "HTTP": s.door.Of(authz.DefaultTenant)}
	for name, ask := range ways {
		t.Run(name, func(t *testing.T) {
			for end := time.Now().Add(patience); ; { // calls are forgotten after a second, which a slow machine takes
				var calls []admission.Call
				for {
					call, err := s.door.Arrive(shares[name], false)
					if err != nil {
						break
					}
					calls = append(calls, call)
				}
				refused, err := ask()
				for _, call := range calls {
					call.Leave()
				}
				if err != nil {
					t.Fatal(err)
				}
				if refused {
					break
				}
				if time.Now().After(end) {
					t.Fatal("a call beyond all is not refused")
				}
			}
			awaitCalls(t, "answers once there is room", func() bool {
				refused, err := ask()
				return !refused && err == nil
			})
		})
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
