package grpcapi

import (
	"context"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

func checkOf(tenant string) *verdictv1.CheckAccessRequest {
	return &verdictv1.CheckAccessRequest{
		Tenant: tenant, Subject: &verdictv1.Subject{Type: "user", Id: "mina"}, Action: &verdictv1.Action{Name: "read"}, Resource: &verdictv1.Resource{Type: "document", Id: "plan"},
	}
}

// crowded is a door that has no room left for any tenant.
func crowded(t *testing.T) *admission.Door {
	t.Helper()
	door := admission.NewDoor(admission.DoorOptions{Tenants: map[string]int{authz.DefaultTenant: 1, "blue": 1}})
	for _, share := range []*admission.Share{nil, door.Of(authz.DefaultTenant), door.Of("blue")} {
		for range 1_000_000 {
			if _, err := door.Arrive(share, false); err != nil {
				break
			}
		}
	}
	return door
}

// TestCallsAreRefusedUnreadWhileThereAreTooMany asks a crowded server in all ways.
func TestCallsAreRefusedUnreadWhileThereAreTooMany(t *testing.T) {
	var decided atomic.Int64
	_, conn := start(t, Options{
		Admission: crowded(t),
		Decider: decideFunc(func(context.Context, *authz.Request, pdp.DecideOptions) (authz.Decision, error) {
			decided.Add(1)
			return authz.Decision{Allowed: true}, nil
		}),
	})
	access := verdictv1.NewAccessServiceClient(conn)
	refused := func(err error) {
		t.Helper()
		st := grpcstatus.Convert(err)
		if st.Code() != codes.ResourceExhausted {
			t.Fatalf("%v, want RESOURCE_EXHAUSTED", err)
		}
		for _, detail := range st.Details() {
			if info, is := detail.(*errdetails.RetryInfo); is && info.GetRetryDelay().AsDuration() > 0 {
				return
			}
		}
		t.Errorf("it is not told when to try again: %v", st.Details())
	}
	for name, patience := range map[string]time.Duration{"soon to end": time.Second, "that may last": time.Hour, "without end": 0} {
		t.Run("a check "+name, func(t *testing.T) {
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if patience > 0 {
				ctx, cancel = context.WithTimeout(ctx, patience)
			}
			defer cancel()
			_, err := access.CheckAccess(ctx, checkOf(""))
			refused(err)
		})
	}
	t.Run("a batch", func(t *testing.T) {
		_, err := access.BatchCheckAccess(t.Context(), &verdictv1.BatchCheckAccessRequest{})
		refused(err)
	})
	t.Run("a search", func(t *testing.T) {
		_, err := access.SearchSubjects(t.Context(), &verdictv1.SearchSubjectsRequest{})
		refused(err)
	})
	t.Run("a check of a stream", func(t *testing.T) {
		stream, err := access.StreamCheckAccess(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(&verdictv1.StreamCheckAccessRequest{Request: checkOf("")}); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if kind := answer.GetResponse().GetError().GetKind(); kind != verdictv1.ErrorKind_ERROR_KIND_OVERLOADED || answer.GetResponse().GetAllowed() {
			t.Errorf("it is answered %v", answer)
		}
	})
	t.Run("but not the health", func(t *testing.T) {
		if _, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
			t.Error(err)
		}
	})
	if n := decided.Load(); n > 0 {
		t.Errorf("%d were decided", n)
	}
}

// TestConnectionCountsForTheTenantItAskedFor holds that a tenant which floods is told
// apart from another by what their connections asked before.
func TestConnectionCountsForTheTenantItAskedFor(t *testing.T) {
	door := admission.NewDoor(admission.DoorOptions{Tenants: map[string]int{authz.DefaultTenant: 1, "blue": 1}})
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	var from atomic.Pointer[string]
	_, conn := startOn(t, Options{
		Admission: door,
		Decider: decideFunc(func(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
			address := caller.From(ctx).Address
			from.Store(&address)
			return authz.Decision{Allowed: true}, nil
		}),
	}, listener, "unix:"+listener.Addr().String())
	access := verdictv1.NewAccessServiceClient(conn)
	if _, err := access.CheckAccess(t.Context(), checkOf("blue")); err != nil {
		t.Fatal(err)
	}
	for range 1_000_000 {
		if _, err := door.Arrive(door.Of(authz.DefaultTenant), false); err != nil {
			break
		}
	}
	if _, err := access.CheckAccess(t.Context(), checkOf("blue")); err != nil {
		t.Errorf("a tenant is refused for what another does: %v", err)
	}
	if got := *from.Load(); got != "unix" {
		t.Errorf("the caller's address is %q, want unix", got)
	}
	if _, err := access.CheckAccess(t.Context(), checkOf("")); err != nil {
		t.Errorf("a call is refused by what is in its message, which is not read then: %v", err)
	}
	if _, err := access.CheckAccess(t.Context(), checkOf("")); grpcstatus.Code(err) != codes.ResourceExhausted {
		t.Errorf("the tenant that floods: %v, want RESOURCE_EXHAUSTED", err)
	}
}

// TestChecksOfProxiesCountForTheirTenant is the same of a service of another package.
func TestChecksOfProxiesCountForTheirTenant(t *testing.T) {
	const service = "envoy.service.auth.v3.Authorization"
	door := admission.NewDoor(admission.DoorOptions{Tenants: map[string]int{authz.DefaultTenant: 1, "blue": 1}})
	_, conn := start(t, Options{
		Admission:  door,
		Operations: map[string]caller.Operation{"/" + service + "/Check": caller.Check},
		Further: []func(grpc.ServiceRegistrar){func(r grpc.ServiceRegistrar) {
			r.RegisterService(&grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{
				answering[question]("Check", "/"+service+"/Check", func(context.Context, *question) (wire.Answer, error) { return wire.Answer{}, nil }),
			}}, nil)
		}},
	})
	ask := func(tenant string) error {
		return conn.Invoke(t.Context(), "/"+service+"/Check", checkOf(tenant), new(verdictv1.CheckAccessResponse))
	}
	if err := ask("blue"); err != nil {
		t.Fatal(err)
	}
	for _, share := range []*admission.Share{nil, door.Of(authz.DefaultTenant)} {
		for range 1_000_000 {
			if _, err := door.Arrive(share, false); err != nil {
				break
			}
		}
	}
	if err := ask("blue"); err != nil {
		t.Errorf("a tenant is refused for what others do: %v", err)
	}
}

func TestRetained(t *testing.T) {
	now := time.Unix(1_000, 0)
	var r retained
	if r.keep(now, retainedSteps*retainedStep) {
		t.Error("what may last longer is kept")
	}
	if !new(retained).keep(now, retainedSteps*retainedStep-1) {
		t.Error("the longest is not kept")
	}
	for i := range maxRetained {
		if !r.keep(now, time.Second) {
			t.Fatalf("only %d are kept", i)
		}
	}
	if r.keep(now.Add(900*time.Millisecond), time.Second) {
		t.Error("too many are kept")
	}
	if !r.keep(now.Add(1200*time.Millisecond), time.Second) || r.total.Load() != 1 {
		t.Errorf("%d are kept when the others have ended", r.total.Load())
	}
	if !r.keep(now.Add(time.Hour), time.Second) || r.total.Load() != 1 {
		t.Errorf("%d are kept after an hour", r.total.Load())
	}
	for steps := time.Duration(12); steps < 3*retainedSteps; steps++ {
		var r retained
		r.keep(now, time.Second)
		if later := now.Add(steps * retainedStep); !r.keep(later, time.Second) || r.total.Load() != 1 {
			t.Errorf("%d are kept %d steps later", r.total.Load(), steps)
		}
	}
}
