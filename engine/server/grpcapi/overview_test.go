package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/store"
)

func TestStatusTellsOfTheServer(t *testing.T) {
	at := time.Unix(1767225600, 0)
	overview := Overview{
		Version: "1.2.3", StartedAt: at, Amiss: errors.Join(errors.New("red has no policy"), errors.New("green has none")),
		CacheBytes: 10, CacheMaxBytes: 20, GRPCConnections: 3, HTTPConnections: 4,
		Directory: directory.State{Oldest: 5, Latest: 9, Tables: 100, Logs: 50, Free: -1,
			Housekeeping: store.Housekeeping{Expired: 3, ExpiredAt: at, Merges: 2, MergedAt: at, Reclaimed: 6}, BackedUp: store.BackedUp{Revision: 8, At: at},
			ChangeRecords: store.ChangeRecords{Bytes: -1, MaxBytes: 12, Oldest: at}, LastChanges: map[string]uint64{"blue": 7}},
		Activities: map[string]Activity{"blue": {Allows: 1, Denies: 2, Errors: 3, Searches: 4, Plans: 5, Bounds: []float64{1}, Within: []uint64{6}}},
	}
	server := func() *verdictv1.ServerStatus {
		return &verdictv1.ServerStatus{
			Version: "1.2.3", StartedAt: timestamppb.New(at), Ready: true, Missing: []string{"red has no policy", "green has none"},
			CacheBytes: 10, CacheMaxBytes: 20, CallsUnderWay: 1, GrpcConnections: 3, HttpConnections: 4,
		}
	}
	free := uint64(0)
	full := overview
	full.Directory.Free, full.Directory.ChangeRecords.Bytes = 0, 0
	notReady := server()
	notReady.Ready, notReady.Missing = false, []string{"closing"}
	stored := func() *verdictv1.DirectoryStatus {
		return &verdictv1.DirectoryStatus{
			OldestRevision: 5, LatestRevision: 9, TableBytes: 100, LogBytes: 50,
			ExpiredRevisions: 3, ExpiredAt: timestamppb.New(at), Merges: 2, MergedAt: timestamppb.New(at), ReclaimedBytes: 6,
			BackupRevision: 8, BackupAt: timestamppb.New(at),
			AuditMaxBytes: 12, AuditOldestAt: timestamppb.New(at),
		}
	}
	onFullDisk := stored()
	onFullDisk.FreeBytes, onFullDisk.AuditBytes = &free, &free
	for _, tt := range []struct {
		name      string
		overview  Overview
		ready     error
		server    *verdictv1.ServerStatus
		directory *verdictv1.DirectoryStatus
	}{
		{"ready, with something amiss", overview, nil, server(), stored()},
		{"not ready: that is why", overview, errors.New("closing"), notReady, stored()},
		{
			"a full disk is not an unknown one, nor no records uncounted ones", full, nil, server(), onFullDisk,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, conn := start(t, Options{
				Policies: policies{{Tenant: "blue"}, {Tenant: "red"}},
				Ready:    func() error { return tt.ready },
				Overview: func(context.Context) (Overview, error) { return tt.overview, nil },
			})
			got, err := verdictv1.NewPolicyServiceClient(conn).GetStatus(t.Context(), &verdictv1.GetStatusRequest{})
			if err != nil {
				t.Fatal(err)
			}
			want := &verdictv1.GetStatusResponse{Server: tt.server, Directory: tt.directory, Policies: []*verdictv1.PolicyStatus{
				{Tenant: "blue", DirectoryRevision: 7, Activity: &verdictv1.TenantActivity{
					Allows: 1, Denies: 2, Errors: 3, Searches: 4, Plans: 5, Latencies: []*verdictv1.LatencyBucket{{Seconds: 1, Decisions: 6}},
				}},
				{Tenant: "red"},
			}}
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestStatusTellsWhatRulesCost holds that only who asks for it is told, and of the dearest.
func TestStatusTellsWhatRulesCost(t *testing.T) {
	profile := eval.Profile{Evaluations: 7}
	for i := range maxProfiled + 1 {
		profile.Rules = append(profile.Rules, eval.RuleCost{Rule: fmt.Sprintf("data.authz.r%d", i), Calls: 9, Time: time.Second})
	}
	var asked []string
	_, conn := start(t, Options{
		Policies: policies{{Tenant: "blue"}, {Tenant: "green"}, {Tenant: "red"}},
		Profile: func(tenant string) (eval.Profile, error) {
			switch asked = append(asked, tenant); tenant {
			case "blue":
				return profile, nil
			case "green": // whose evaluator cannot tell
				return eval.Profile{}, nil
			}
			return eval.Profile{}, errors.New("it has no policy")
		},
	})
	client := verdictv1.NewPolicyServiceClient(conn)
	for _, rules := range []bool{false, true} {
		got, err := client.GetStatus(t.Context(), &verdictv1.GetStatusRequest{Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		blue, others := got.GetPolicies()[0].GetProfile(), got.GetPolicies()[1:]
		if !rules && (blue != nil || asked != nil) {
			t.Errorf("who does not ask is told %v, and %v are asked", blue, asked)
		}
		if !rules {
			continue
		}
		want := &verdictv1.RuleCost{Rule: "data.authz.r0", Calls: 9, Time: durationpb.New(time.Second)}
		if blue.GetEvaluations() != 7 || len(blue.GetRules()) != maxProfiled || !proto.Equal(blue.GetRules()[0], want) {
			t.Errorf("blue's: %v", blue)
		}
		for _, policy := range others {
			if policy.GetProfile() != nil {
				t.Errorf("%s has the profile %v", policy.GetTenant(), policy.GetProfile())
			}
		}
	}
}

// TestStatusOfATenantNamesNoOther has a caller who may see the status of one tenant.
func TestStatusOfATenantNamesNoOther(t *testing.T) {
	_, conn := start(t, Options{
		Policies: policies{{Tenant: "blue"}, {Tenant: "red"}},
		Overview: func(context.Context) (Overview, error) {
			return Overview{Version: "1.2.3", Amiss: errors.New("red has no policy: secret.rego:1: no such rule")}, nil
		},
		Gate: admitFunc(func(ctx context.Context, operation caller.Operation, tenant string) error {
			if tenant == "blue" {
				return nil
			}
			return refuseAll(ctx, operation, tenant)
		}),
	})
	got, err := verdictv1.NewPolicyServiceClient(conn).GetStatus(t.Context(), &verdictv1.GetStatusRequest{Tenant: "blue"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got.String(), "red") || got.GetServer().GetVersion() != "1.2.3" || len(got.GetPolicies()) != 1 {
		t.Errorf("the status of one tenant: %v", got)
	}
}

// TestStatusOfAClosedDirectory holds that what cannot be told is an error, and not a
// directory without anything in it.
func TestStatusOfAClosedDirectory(t *testing.T) {
	_, conn := start(t, Options{
		Policies: policies{{Tenant: "blue"}},
		Overview: func(context.Context) (Overview, error) {
			return Overview{}, authz.Errorf(authz.Unavailable, "the directory is closed")
		},
	})
	_, err := verdictv1.NewPolicyServiceClient(conn).GetStatus(t.Context(), &verdictv1.GetStatusRequest{})
	wantStatus(t, err, codes.Unavailable)
}
