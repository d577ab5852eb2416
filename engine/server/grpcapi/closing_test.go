package grpcapi

import (
	"context"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// TestShutdownEndsWhatWaits shuts down, with all the time in the world, while a
// call waits for a revision that never comes.
func TestShutdownEndsWhatWaits(t *testing.T) {
	never := &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: 1 << 40}}
	access, keeper := verdictv1.NewAccessServiceClient, verdictv1.NewDirectoryServiceClient
	tests := []struct {
		name string
		call func(context.Context, grpc.ClientConnInterface) error
	}{
		{"a check", func(ctx context.Context, conn grpc.ClientConnInterface) error {
			_, err := access(conn).CheckAccess(ctx, &verdictv1.CheckAccessRequest{Consistency: never})
			return err
		}},
		{"a batch of checks", func(ctx context.Context, conn grpc.ClientConnInterface) error {
			_, err := access(conn).BatchCheckAccess(ctx, &verdictv1.BatchCheckAccessRequest{
				Consistency: never, Items: []*verdictv1.BatchCheckAccessItem{{}},
			})
			return err
		}},
		{"a check on a stream", func(ctx context.Context, conn grpc.ClientConnInterface) error {
			stream, err := access(conn).StreamCheckAccess(ctx)
			if err != nil {
				return err
			}
			err = stream.Send(&verdictv1.StreamCheckAccessRequest{Request: &verdictv1.CheckAccessRequest{Consistency: never}})
			if err != nil {
				return err
			}
			answer, err := stream.Recv()
			if kind := answer.GetResponse().GetError().GetKind(); kind != verdictv1.ErrorKind_ERROR_KIND_UNAVAILABLE {
				t.Errorf("the check was answered %v, %v, want an error of kind unavailable", answer, err)
			}
			_, err = stream.Recv()
			return err
		}},
		{"a search", func(ctx context.Context, conn grpc.ClientConnInterface) error {
			_, err := access(conn).SearchActions(ctx, &verdictv1.SearchActionsRequest{Consistency: never})
			return err
		}},
		{"a plan", func(ctx context.Context, conn grpc.ClientConnInterface) error {
			_, err := access(conn).PlanResources(ctx, &verdictv1.PlanResourcesRequest{
				Consistency: never, Resource: &verdictv1.Resource{Type: "document"}, Dialect: verdictv1.PlanDialect_PLAN_DIALECT_POSTGRESQL,
			})
			return err
		}},
		{"an entity", func(ctx context.Context, conn grpc.ClientConnInterface) error {
			_, err := keeper(conn).GetEntity(ctx, &verdictv1.GetEntityRequest{Entity: "user:mina", Consistency: never})
			return err
		}},
		{"entities", func(ctx context.Context, conn grpc.ClientConnInterface) error {
			_, err := keeper(conn).ListEntities(ctx, &verdictv1.ListEntitiesRequest{Type: "user", Consistency: never})
			return err
		}},
		{"grants", func(ctx context.Context, conn grpc.ClientConnInterface) error {
			_, err := keeper(conn).ListGrants(ctx, &verdictv1.ListGrantsRequest{Consistency: never})
			return err
		}},
		{"an export", func(ctx context.Context, conn grpc.ClientConnInterface) error {
			stream, err := keeper(conn).Export(ctx, &verdictv1.ExportRequest{Consistency: never})
			if err != nil {
				return err
			}
			_, err = stream.Recv()
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := make(chan struct{})
			server, conn := start(t, Options{
				Decider: decideFunc(func(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
					close(asked)
					<-ctx.Done()
					return authz.Decision{}, ctx.Err()
				}),
				Searcher: searchFunc(func(ctx context.Context, _ pdp.Search) (pdp.Found, error) {
					close(asked)
					<-ctx.Done()
					return pdp.Found{}, ctx.Err()
				}),
				Planner:   waitingPlanner{asked},
				Directory: askedDirectory{newDirectory(t), asked},
			})
			failed := make(chan error, 1)
			go func() { failed <- tt.call(t.Context(), conn) }()
			<-asked
			if err := server.Shutdown(context.Background()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			st := wantStatus(t, <-failed, codes.Unavailable)
			if !strings.Contains(st.Message(), "the server is closing") {
				t.Errorf("the caller was told %q", st.Message())
			}
		})
	}
}

// A waitingPlanner waits for its context, once it is asked.
type waitingPlanner struct{ asked chan struct{} }

func (p waitingPlanner) Plan(ctx context.Context, _ pdp.PlanQuestion) (pdp.Planned, error) {
	close(p.asked)
	<-ctx.Done()
	return pdp.Planned{}, ctx.Err()
}

// An askedDirectory tells when it is asked for a revision.
type askedDirectory struct {
	Directory
	asked chan struct{}
}

func (d askedDirectory) Snapshot(ctx context.Context, tenant string, consistency authz.Consistency) (*directory.Snapshot, error) {
	close(d.asked)
	return d.Directory.Snapshot(ctx, tenant, consistency)
}

func (d askedDirectory) Export(ctx context.Context, tenant string, consistency authz.Consistency, lines io.Writer) (uint64, error) {
	close(d.asked)
	return d.Directory.Export(ctx, tenant, consistency, lines)
}

func TestShutdownWithoutGraceCutsNothingOffWhereNothingIs(t *testing.T) {
	server, conn := start(t, Options{})
	// Its connection stays open.
	if _, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(t.Context(), reading()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown = %v, want nil: no call is in flight", err)
	}
}

func TestShutdownWaitsForWhatItCutsOff(t *testing.T) {
	started, left := make(chan struct{}), false
	server, conn := start(t, Options{Decider: decideFunc(func(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
		close(started)
		<-ctx.Done()
		left = true
		return authz.Decision{}, ctx.Err()
	})})
	go verdictv1.NewAccessServiceClient(conn).CheckAccess(t.Context(), reading())
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Shutdown(ctx); err == nil {
		t.Error("Shutdown = nil, want the context's error: a call was cut off")
	}
	if !left { // under -race, a method that still runs is also found by this
		t.Error("Shutdown returned before the method")
	}
}
