package grpcapi

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/stats"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/intake"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// A Decider answers requests. *pdp.PDP is one.
type Decider interface {
	Decide(ctx context.Context, request *authz.Request, options pdp.DecideOptions) (authz.Decision, error)
	DecideBatch(ctx context.Context, batch pdp.Batch) ([]authz.Decision, error)
}

// A Searcher finds what would be allowed. *pdp.PDP is one.
type Searcher interface {
	Search(ctx context.Context, search pdp.Search) (pdp.Found, error)
}

// A Directory keeps entities and grants. *directory.Directory is one.
type Directory interface {
	Keeper
	Mover
	Checker
	Auditor
	Backer
}

// A Keeper writes batches and reads snapshots.
type Keeper interface {
	Write(ctx context.Context, tenant string, batch authz.Batch) (revision uint64, err error)
	Snapshot(ctx context.Context, tenant string, consistency authz.Consistency) (*directory.Snapshot, error)
	Revisions() (oldest, latest uint64)
}

// A Mover moves whole directories in and out, and tells what changes.
type Mover interface {
	Import(ctx context.Context, tenant string, lines io.Reader, options directory.ImportOptions) (directory.ImportReport, error)
	Export(ctx context.Context, tenant string, consistency authz.Consistency, lines io.Writer) (revision uint64, err error)
	Watch(ctx context.Context, tenant string, after uint64, visit func(directory.ChangeRecord) error) error
}

// A Checker finds what is amiss.
type Checker interface {
	Check(ctx context.Context, tenant string, options directory.CheckOptions) (directory.CheckReport, error)
}

// Policies tells which policies decide. *activation.Set is one.
type Policies interface {
	Status() []activation.Status
}

// A Callers finds out who is at the other end of a connection, and who makes each call
// on it. *caller.Authenticator is one.
type Callers interface {
	Connect(evidence caller.Evidence) *caller.Connection
}

// A Gate says what the caller in a context may do; the empty tenant means the whole
// server. *gate.Gate is one.
type Gate interface {
	Admit(ctx context.Context, operation caller.Operation, tenant string) error
}

// Options are the parts and the limits of a server. All parts are required but
// Security and Further.
type Options struct {
	Decider   Decider
	Searcher  Searcher
	Planner   Planner
	Directory Directory
	Policies  Policies
	// Stats is told of all that happens to calls, for tracing, which costs each call; nil
	// for nobody.
	Stats stats.Handler
	// Overview tells PolicyService.GetStatus how the server does; without it, that tells
	// of policies alone.
	Overview func(context.Context) (Overview, error)
	// Profile tells PolicyService.GetStatus what the rules of a tenant's policy cost;
	// without it, nobody is told.
	Profile func(tenant string) (eval.Profile, error)
	// Ready says what keeps the server from being ready; nil when it is.
	Ready  func() error
	Logger *zap.Logger
	// Callers and Gate say who may call. They are asked about every call but those of
	// the health, which is anyone's to ask. Who calls is in the context of each call, as
	// package caller carries it.
	Callers Callers
	Gate    Gate
	// Security is how connections are protected; nil for not at all.
	Security credentials.TransportCredentials
	// Further registers services of other packages, which are guarded and closed as
	// those of this one, and Operations are what their methods do, by their full names:
	// others are refused.
	Further    []func(grpc.ServiceRegistrar)
	Operations map[string]caller.Operation
	// Meter makes what is told of the calls of a method, by its full name; it is asked
	// once for each that is registered, and for OtherMethods. Nil for nobody.
	Meter func(method string, streams bool) Meter
	// Admission refuses calls while there are too many; nil for none.
	Admission *admission.Door
	// MaxMessageBytes bounds a message received; 0 means 16 MiB. A larger one
	// is refused with RESOURCE_EXHAUSTED.
	MaxMessageBytes int
	// MaxHeaderBytes bounds the metadata of a call, as HTTP/2 counts it; 0 means 64 KiB.
	// A call with more is reset.
	MaxHeaderBytes int
	// MaxCalls is how many calls of one connection, streams included, are open at a time;
	// 0 means DefaultMaxCalls. What a client calls beyond that waits on its side.
	MaxCalls int
	// Intake bounds what all clients together have the server hold for them.
	Intake intake.Limits
	// Limited is told of each limit of the intake that is reached; nil for nobody.
	Limited func(authz.Limit)
	// Idle is how long a connection may be without a call before the client is told to
	// close it; 0 means for ever.
	Idle time.Duration
	// Silence is how long nothing may be heard on a connection before it is
	// pinged, and how long the answer may take before it is closed with its
	// calls; 0 means 30 s. gRPC allows no less than 1 s.
	Silence time.Duration
}

// DefaultMaxCalls is Options.MaxCalls unless set, as net/http has it.
const DefaultMaxCalls = 250

const (
	defaultMaxMessageBytes = 16 << 20
	defaultSilence         = 30 * time.Second
	defaultMaxHeaderBytes  = 64 << 10
	// windowBytes is what a client may send of a call before it is served. What a call
	// takes then has a window of its own size.
	windowBytes = 64 << 10
	// connectionWindowBytes is what a client may send before the server has read it, of
	// all calls together. It is no bound of what is held.
	connectionWindowBytes = 1 << 20
	// maxHandshake is how long a new connection may take to speak HTTP/2.
	maxHandshake = 10 * time.Second
	// minPing is the least time between two pings of a client, with calls under
	// way or without. It is the least that clients can be set to.
	minPing = 10 * time.Second
)

// workersPerProcessor is how many goroutines wait for calls, for each processor: a
// call that none waits for gets a new one, whose stack has to grow to evaluate a
// policy. More would take turns, each with a stack that no cache holds. See
// benchmarks/transport.
const workersPerProcessor = 32

// A Server serves the gRPC API.
type Server struct {
	grpc   *grpc.Server
	guard  *guard
	intake *intake.Intake
	// closing is done once Shutdown is called.
	closing context.Context
	close   context.CancelFunc
}

// New makes a server with everything registered. It serves once Serve is
// called.
func New(o Options) *Server {
	o.MaxMessageBytes = cmp.Or(o.MaxMessageBytes, defaultMaxMessageBytes)
	o.Silence = cmp.Or(o.Silence, defaultSilence)
	o.MaxHeaderBytes = cmp.Or(o.MaxHeaderBytes, defaultMaxHeaderBytes)
	o.MaxCalls = cmp.Or(o.MaxCalls, DefaultMaxCalls)
	closing, closeAll := context.WithCancel(context.Background())
	fromClients := map[string]bool{} // the methods whose clients send streams
	in := intake.New(intake.Options{
		Limits: o.Intake, Limited: o.Limited, Logger: o.Logger,
		MayWait: func(method string) bool { return fromClients[method] },
	})
	g := &guard{logger: o.Logger, intake: in, memory: newMemory(in, o.MaxMessageBytes), codec: wire.NewCodec()}
	g.door = newDoor(o)
	g.entrance = &entrance{door: o.Admission, meter: g.meter}
	s := &Server{
		grpc: grpc.NewServer(
			grpc.Creds(in.Credentials(doorway{o.Security, o.Callers})),
			//lint:ignore SA1019 there is no other way to refuse a coding that is registered
			grpc.RPCDecompressor(uncompressed{}),
			grpc.InTapHandle(g.tap),
			grpc.ReadBufferSize(0), // the intake has one
			grpc.StaticStreamWindowSize(windowBytes),
			grpc.StaticConnWindowSize(connectionWindowBytes),
			grpc.MaxRecvMsgSize(o.MaxMessageBytes),
			grpc.MaxHeaderListSize(uint32(o.MaxHeaderBytes)),
			grpc.MaxConcurrentStreams(uint32(o.MaxCalls)),
			grpc.ConnectionTimeout(maxHandshake),
			grpc.KeepaliveParams(keepalive.ServerParameters{Time: o.Silence, Timeout: o.Silence, MaxConnectionIdle: o.Idle}),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
			grpc.NumStreamWorkers(uint32(workersPerProcessor*runtime.GOMAXPROCS(0))),
			grpc.ForceServerCodecV2(g.codec),
			grpc.UnaryInterceptor(g.unary),
			grpc.StreamInterceptor(g.stream),
			grpc.UnknownServiceHandler(noMethod),
			grpc.WaitForHandlers(true),
			observedBy(o.Stats),
		),
		guard:   g,
		intake:  in,
		closing: closing,
		close:   closeAll,
	}
	registrar := wire.Registrar{Server: s.grpc, Enter: g.enter, Unpack: g.memory.unpackCall}
	waits := waiting{closing, o.Directory.Revisions}
	access := &accessServer{
		decider: closingDecider{o.Decider, waits}, searcher: closingSearcher{o.Searcher, waits}, planner: closingPlanner{o.Planner, waits},
		guard: g, counted: o.Admission, closing: closing,
	}
	registrar.RegisterService(access.description(), access)
	verdictv1.RegisterDirectoryServiceServer(registrar, &directoryServer{directory: closingDirectory{o.Directory, waits}, memory: g.memory})
	verdictv1.RegisterAuditServiceServer(registrar, &auditServer{changes: o.Directory})
	verdictv1.RegisterPolicyServiceServer(registrar, &policyServer{policies: o.Policies, guard: g, ready: o.Ready, overview: o.Overview, profile: o.Profile})
	verdictv1.RegisterBackupServiceServer(registrar, &backupServer{directory: o.Directory, closing: closing, stall: maxStall})
	for _, register := range o.Further {
		register(registrar)
	}
	healthpb.RegisterHealthServer(registrar, newHealthServer(o.Ready, closing))
	reflection.Register(s.grpc)
	g.meters = metersOf(s.grpc, o.Meter)
	for service, info := range s.grpc.GetServiceInfo() {
		for _, method := range info.Methods {
			fromClients["/"+service+"/"+method.Name] = method.IsClientStream
		}
	}
	return s
}

// Serve answers calls that come in on the listener, which it closes, until
// Shutdown. It then returns nil.
func (s *Server) Serve(listener net.Listener) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go s.intake.Run(ctx)
	err := s.grpc.Serve(s.guard.entrance.listen(listener))
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Shutdown stops accepting, ends watches, decision streams and calls that wait
// for a revision with UNAVAILABLE, and finishes the other calls in flight. Those
// that last longer than ctx are cut off, and its error is returned. No method
// runs any more when it returns.
func (s *Server) Shutdown(ctx context.Context) error {
	s.close()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		s.grpc.GracefulStop()
	}()
	select {
	case <-finished:
		return nil
	case <-ctx.Done():
	}
	// Idle connections take a moment to close too, and nobody misses them.
	cut := s.guard.underWay.Load() > 0
	s.grpc.Stop()
	<-finished
	if !cut {
		return nil
	}
	return ctx.Err()
}
