package grpcapi

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

func TestPolicyStatus(t *testing.T) {
	at := time.Unix(1767225600, 0)
	_, conn := start(t, Options{Policies: policies{
		{Tenant: "blue", Bundle: "workforce", Revision: "r7", Evaluator: "topdown", ActivatedAt: at, FallbackReason: "closure cannot take the policy"},
		{Tenant: "red", LastError: "policy.rego:3: no", LastErrorAt: at},
	}})
	client := verdictv1.NewPolicyServiceClient(conn)
	blue := &verdictv1.PolicyStatus{Tenant: "blue", Bundle: "workforce", Revision: "r7", Evaluator: "topdown", ActivatedAt: timestamppb.New(at), FallbackReason: "closure cannot take the policy"}
	red := &verdictv1.PolicyStatus{Tenant: "red", LastError: "policy.rego:3: no", LastErrorAt: timestamppb.New(at)}
	tests := []struct {
		name, tenant string
		want         []*verdictv1.PolicyStatus
	}{
		{"all", "", []*verdictv1.PolicyStatus{blue, red}},
		{"one", "red", []*verdictv1.PolicyStatus{red}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := client.GetStatus(t.Context(), &verdictv1.GetStatusRequest{Tenant: tt.tenant})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.GetPolicies(), protocmp.Transform()); diff != "" {
				t.Errorf("policies (-want +got):\n%s", diff)
			}
		})
	}
	_, err := client.GetStatus(t.Context(), &verdictv1.GetStatusRequest{Tenant: "green"})
	if st := wantStatus(t, err, codes.NotFound); strings.Contains(st.Message(), "blue") {
		t.Errorf("the caller was told %q", st.Message())
	}
}

func TestHealthFollowsReadiness(t *testing.T) {
	var ready atomic.Bool
	_, conn := start(t, Options{Ready: func() error {
		if ready.Load() {
			return nil
		}
		return errors.New("no policy is active")
	}})
	client := healthpb.NewHealthClient(conn)
	check := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		for _, service := range []string{"", "verdict.v1.AccessService", "verdict.v1.DirectoryService", "verdict.v1.PolicyService"} {
			got, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
			if err != nil || got.GetStatus() != want {
				t.Errorf("health of %q = %v, %v, want %v", service, got.GetStatus(), err, want)
			}
		}
	}
	watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	next := func(want healthpb.HealthCheckResponse_ServingStatus) {
		t.Helper()
		if got, err := watch.Recv(); err != nil || got.GetStatus() != want {
			t.Errorf("watched %v, %v, want %v", got.GetStatus(), err, want)
		}
	}

	check(healthpb.HealthCheckResponse_NOT_SERVING)
	next(healthpb.HealthCheckResponse_NOT_SERVING)
	ready.Store(true)
	check(healthpb.HealthCheckResponse_SERVING)
	next(healthpb.HealthCheckResponse_SERVING)

	listed, err := client.List(t.Context(), &healthpb.HealthListRequest{})
	if err != nil || len(listed.GetStatuses()) != 4 {
		t.Errorf("List = %v, %v, want four services", listed, err)
	}
}

func TestHealthOfAnUnknownService(t *testing.T) {
	_, conn := start(t, Options{})
	client := healthpb.NewHealthClient(conn)
	_, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: "verdict.v1.Other"})
	wantStatus(t, err, codes.NotFound)
	watch, err := client.Watch(t.Context(), &healthpb.HealthCheckRequest{Service: "verdict.v1.Other"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		t.Errorf("watched %v, %v, want SERVICE_UNKNOWN", got.GetStatus(), err)
	}
}
