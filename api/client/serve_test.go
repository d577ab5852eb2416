package client

import (
	"context"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/gate"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/grpcapi"
)

// A decider decides by a function, and keeps what it was asked.
type decider struct {
	decide func(context.Context, *authz.Request) (authz.Decision, error)
	search func(pdp.Search) (pdp.Found, error)
	plan   func(pdp.PlanQuestion) (pdp.Planned, error)

	mu      sync.Mutex
	asked   []authz.Request
	options []pdp.DecideOptions
	batches int
}

func (d *decider) Decide(ctx context.Context, request *authz.Request, options pdp.DecideOptions) (authz.Decision, error) {
	d.mu.Lock()
	d.asked = append(d.asked, *request)
	d.options = append(d.options, options)
	d.mu.Unlock()
	return d.decide(ctx, request)
}

func (d *decider) DecideBatch(ctx context.Context, batch pdp.Batch) ([]authz.Decision, error) {
	d.mu.Lock()
	d.batches++
	d.mu.Unlock()
	var decisions []authz.Decision
	for _, request := range batch.Requests {
		decision, err := d.Decide(ctx, request, pdp.DecideOptions{Consistency: batch.Consistency, Explain: batch.Explain})
		switch {
		case ctx.Err() != nil, err != nil && authz.KindOf(err) != authz.Invalid:
			return nil, err
		case err != nil:
			decision = authz.Decision{ID: "denied", Err: err}
		}
		decisions = append(decisions, decision)
		if batch.Stop != nil && batch.Stop(decision) {
			break
		}
	}
	return decisions, nil
}

func (d *decider) Search(_ context.Context, asked pdp.Search) (pdp.Found, error) {
	return d.search(asked)
}

func (d *decider) Plan(_ context.Context, asked pdp.PlanQuestion) (pdp.Planned, error) {
	return d.plan(asked)
}

// allowReads allows the action read.
func allowReads(_ context.Context, request *authz.Request) (authz.Decision, error) {
	return authz.Decision{Allowed: request.Action.Name == "read", ID: "d-" + request.Resource.ID}, nil
}

type policies struct{}

func (policies) Status() []activation.Status { return nil }

// A verdict is the real server on what decides, and where it listens.
type verdict struct {
	tb      testing.TB
	options grpcapi.Options
	address string
	server  *grpcapi.Server
	served  chan error
}

// startVerdict serves on an address, or on a free port, until the test ends.
func startVerdict(tb testing.TB, d *decider, address string, ready func() error) *verdict {
	tb.Helper()
	if d.decide == nil {
		d.decide = allowReads
	}
	if ready == nil {
		ready = func() error { return nil }
	}
	kept, err := directory.Open(directory.Options{Tenants: []string{authz.DefaultTenant}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { kept.Close() })
	v := &verdict{tb: tb, address: address, options: grpcapi.Options{
		Decider: d, Searcher: d, Planner: d, Directory: kept, Policies: policies{}, Ready: ready, Logger: zap.NewNop(),
		Callers: caller.New(caller.Options{}), Gate: gate.Open{},
	}}
	v.start()
	tb.Cleanup(v.stop)
	return v
}

func (v *verdict) start() {
	v.tb.Helper()
	network, address := "tcp", v.address
	if servers, err := parseTarget(v.address); err == nil && servers[0].unix {
		network, address = "unix", servers[0].address
	}
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		v.tb.Fatal(err)
	}
	if v.address == "" {
		v.address = listener.Addr().String()
	}
	v.server, v.served = grpcapi.New(v.options), make(chan error, 1)
	go func(server *grpcapi.Server, served chan<- error) { served <- server.Serve(listener) }(v.server, v.served)
}

// stop ends the server, calls under way included.
func (v *verdict) stop() {
	if v.server == nil {
		return
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = v.server.Shutdown(over) // that it cut calls off is meant
	if err := <-v.served; err != nil {
		v.tb.Error(err)
	}
	v.server = nil
}

// dialTo makes a client that is closed when the test ends.
func dialTo(tb testing.TB, target string, options ...Option) *Client {
	tb.Helper()
	c, err := New(target, options...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

// A standIn is an AccessService of a function, behind a bare gRPC server.
type standIn struct {
	verdictv1.UnimplementedAccessServiceServer
	check func(context.Context, *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error)
}

func (s standIn) CheckAccess(ctx context.Context, request *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
	return s.check(ctx, request)
}

// startStandIn serves until the test ends, and returns the address.
func startStandIn(tb testing.TB, check func(context.Context, *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error), options ...grpc.ServerOption) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := grpc.NewServer(options...)
	verdictv1.RegisterAccessServiceServer(server, standIn{check: check})
	healthy := health.NewServer()
	healthy.SetServingStatus(verdictv1.AccessService_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, healthy)
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(listener) })
	tb.Cleanup(func() {
		server.Stop()
		served.Wait()
	})
	return listener.Addr().String()
}

func allowAll(context.Context, *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
	return &verdictv1.CheckAccessResponse{Allowed: true, DecisionId: "d"}, nil
}

// socketIn is the address of a Unix socket whose path is short enough for one.
func socketIn(t *testing.T) string { return unixPrefix + filepath.Join(t.TempDir(), "s") }

// requestAbout is a request to read a ticket.
func requestAbout(id string) authz.Request {
	return authz.Request{
		Subject:  authz.Subject{Type: "user", ID: "mina"},
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "ticket", ID: id},
	}
}

// noneLeft fails the test unless it ends with as many goroutines as it began
// with. It must be called before anything is started.
func noneLeft(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		const patience = 5 * time.Second
		for end := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}
