package grpcapi

import (
	"context"
	"net"
	"slices"
	"testing"

	"go.uber.org/zap"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A decideFunc decides by a function, a batch request by request.
type decideFunc func(context.Context, *authz.Request, pdp.DecideOptions) (authz.Decision, error)

func (f decideFunc) Decide(ctx context.Context, request *authz.Request, options pdp.DecideOptions) (authz.Decision, error) {
	return f(ctx, request, options)
}

func (f decideFunc) DecideBatch(ctx context.Context, batch pdp.Batch) ([]authz.Decision, error) {
	var decisions []authz.Decision
	for _, request := range batch.Requests {
		decision, err := f(ctx, request, pdp.DecideOptions{Consistency: batch.Consistency, Explain: batch.Explain})
		if ctx.Err() != nil {
			return nil, err
		}
		if err != nil {
			decision = authz.Decision{Err: err}
		}
		decisions = append(decisions, decision)
		if batch.Stop != nil && batch.Stop(decision) {
			break
		}
	}
	return decisions, nil
}

// allowReads allows the action read.
func allowReads(_ context.Context, request *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
	return authz.Decision{Allowed: request.Action.Name == "read"}, nil
}

// An admitFunc is a gate by a function.
type admitFunc func(ctx context.Context, operation caller.Operation, tenant string) error

func (f admitFunc) Admit(ctx context.Context, operation caller.Operation, tenant string) error {
	return f(ctx, operation, tenant)
}

// policies are what a Policies answers.
type policies []activation.Status

func (p policies) Status() []activation.Status { return p }

// newDirectory opens a directory in memory with the tenants default and blue.
func newDirectory(tb testing.TB) *directory.Directory {
	tb.Helper()
	d, err := directory.Open(directory.Options{Tenants: []string{authz.DefaultTenant, "blue"}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

// withDefaults completes the options of a test's server.
func withDefaults(tb testing.TB, o Options) Options {
	if o.Decider == nil {
		o.Decider = decideFunc(allowReads)
	}
	if o.Directory == nil {
		o.Directory = newDirectory(tb)
	}
	if o.Policies == nil {
		o.Policies = policies{}
	}
	if o.Callers == nil {
		o.Callers = caller.New(caller.Options{})
	}
	if o.Gate == nil {
		o.Gate = admitFunc(func(context.Context, caller.Operation, string) error { return nil })
	}
	if o.Ready == nil {
		o.Ready = func() error { return nil }
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return o
}

// start serves in memory until the test ends, and connects.
func start(tb testing.TB, o Options, options ...grpc.DialOption) (*Server, *grpc.ClientConn) {
	tb.Helper()
	listener := bufconn.Listen(1 << 20)
	dial := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) })
	return startOn(tb, o, listener, "passthrough:///memory", append(options, dial)...)
}

func startOn(tb testing.TB, o Options, listener net.Listener, target string, options ...grpc.DialOption) (*Server, *grpc.ClientConn) {
	tb.Helper()
	server := New(withDefaults(tb, o))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(target, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		conn.Close()
		if err := server.Shutdown(context.Background()); err != nil {
			tb.Error(err)
		}
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	return server, conn
}

// wantStatus fails the test unless err has the code, and returns the status.
func wantStatus(tb testing.TB, err error, code codes.Code) *grpcstatus.Status {
	tb.Helper()
	st, _ := grpcstatus.FromError(err)
	if st.Code() != code {
		tb.Fatalf("error = %v, want code %v", err, code)
	}
	return st
}

// wantFields fails the test unless err is INVALID_ARGUMENT about the fields.
func wantFields(tb testing.TB, err error, fields ...string) {
	tb.Helper()
	st := wantStatus(tb, err, codes.InvalidArgument)
	var got []string
	for _, detail := range st.Details() {
		if request, is := detail.(*errdetails.BadRequest); is {
			for _, v := range request.GetFieldViolations() {
				got = append(got, v.GetField())
			}
		}
	}
	if !slices.Equal(got, fields) {
		tb.Errorf("violated fields = %q, want %q (%s)", got, fields, st.Message())
	}
}
