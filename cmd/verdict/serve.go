package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/credentials"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/intake"
	"github.com/verdictpdp/verdict/engine/server/authzen"
	"github.com/verdictpdp/verdict/engine/server/extauthz"
	"github.com/verdictpdp/verdict/engine/server/grpcapi"
	"github.com/verdictpdp/verdict/engine/tracing"
)

func newServeCommand(p *printer) *cobra.Command {
	var file, bundlePath string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve decisions and the directory over gRPC and HTTP",
		Long: `Serve decisions and the directory over gRPC and HTTP until SIGTERM. Requests in
flight are finished then; a second signal ends it at once.

The tenants come from the configuration file; --bundle gives the tenant
"default" its policy. A change to a bundle on disk becomes active at once,
unless it does not compile or its own tests fail: then the old one stays, and
the log says why. So does a change to the certificate of --tls-cert and its key.`,
		Example: `  verdict serve --bundle ./policy
  verdict serve --config verdict.yaml --grpc unix:///run/verdict.sock
  verdict serve --bundle ./policy --tls-cert cert.pem --tls-key key.pem`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(file, os.Environ())
			if err != nil {
				return err
			}
			flags := cmd.Flags()
			if flags.Changed("bundle") {
				if cfg.Tenants == nil {
					cfg.Tenants = map[string]tenantConfig{}
				}
				tenant := cfg.Tenants[authz.DefaultTenant]
				tenant.Bundle = bundlePath
				cfg.Tenants[authz.DefaultTenant] = tenant
			}
			for flag, setting := range map[string]*string{
				"data": &cfg.Data, "grpc": &cfg.GRPC.Address, "http": &cfg.HTTP.Address,
				"tls-cert": &cfg.TLS.Cert, "tls-key": &cfg.TLS.Key, "public-url": &cfg.HTTP.PublicURL,
			} {
				if flags.Changed(flag) {
					*setting, _ = flags.GetString(flag)
				}
			}
			if err := cfg.validate(); err != nil {
				return err
			}
			if len(cfg.Tenants) == 0 {
				return errors.New("there is no policy to serve: give one with --bundle, or name tenants in a --config file; verdict demo shows it at work")
			}
			return serve(cmd.Context(), cfg, newLogger(cfg.Log, p.err))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&file, "config", "", "configuration `file` (YAML)")
	flags.StringVar(&bundlePath, "bundle", "", "the policy of the tenant \"default\": a directory or a .tar.gz `file`")
	flags.String("data", defaultConfig().Data, "`directory` of the store")
	flags.String("grpc", defaultGRPC, "gRPC `address`, host:port or unix:///path")
	flags.String("http", defaultHTTP, "HTTP `address`, host:port or unix:///path")
	flags.String("tls-cert", "", "serve both over TLS with the certificate in this `file` (PEM), its chain behind it")
	flags.String("tls-key", "", "`file` of the certificate's key (PEM)")
	flags.String("public-url", "", "https `URL` under which callers reach the HTTP address, for AuthZEN's metadata")
	return cmd
}

// serve runs a service on the configured tenants until ctx is done.
func serve(ctx context.Context, cfg config, logger *zap.Logger) error {
	cfg, lowMemory := fitResources(cfg, logger)
	tenants := make([]activation.Tenant, 0, len(cfg.Tenants))
	for _, name := range slices.Sorted(maps.Keys(cfg.Tenants)) {
		tenants = append(tenants, bundleAt(name, cfg.Tenants[name]))
	}
	s, err := openService(pointOptions{dir: cfg.Data, tenants: tenants, config: cfg, clock: time.Now, logger: logger, lowMemory: lowMemory})
	if err != nil {
		return err
	}
	asUsual := collectOften()
	err = s.activate(ctx)
	asUsual()
	if err != nil && ctx.Err() == nil {
		return errors.Join(err, s.giveUp())
	}
	s.manager = managerOf()
	return errors.Join(s.run(ctx), s.Close())
}

// A service is a point with its ways in. openService opens all of it and Close
// closes all of it; demo and the tests run this same struct.
type service struct {
	*point
	config  config
	logger  *zap.Logger
	tenants []string
	// manager is told when it serves, and when it is to end.
	manager manager
	// startedAt is when it was opened.
	startedAt time.Time

	grpcListener, httpListener net.Listener
	// grpcConnections and httpConnections bound those of the listeners.
	grpcConnections, httpConnections *boundedListener
	grpc                             *grpcapi.Server
	http                             *http.Server
	// certificate is nil where TLS is off.
	certificate *certificate
	// callers finds out who calls, and gate says what they may do; authorities, issuers
	// and callerPolicies are what they rest on, nil where there is nothing of it.
	callers        *caller.Authenticator
	gate           grpcapi.Gate
	authorities    *clientAuthorities
	issuers        *caller.Issuers
	callerPolicies *activation.Set
	// tracing is nil where it is off.
	tracing *tracing.Tracing
	// admin is nil where there is none.
	admin *admin
	// door is where calls are counted, and refused while there are too many.
	door *admission.Door
	// draining is set from when on the service is to end.
	draining atomic.Bool
}

// openService opens the store and the listeners. Requests are answered once
// run is called.
func openService(o pointOptions) (_ *service, err error) {
	var shown *certificate
	if o.config.TLS.on() { // before a store is made for a service that cannot start
		if shown, err = openCertificate(o.config.TLS, o.logger); err != nil {
			return nil, err
		}
	}
	p, err := openPoint(o)
	if err != nil {
		return nil, err
	}
	s := &service{point: p, config: o.config, logger: o.logger, certificate: shown, startedAt: o.clock()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.giveUp())
		}
	}()
	for _, tenant := range o.tenants {
		s.tenants = append(s.tenants, tenant.Name)
	}
	if err := s.openDoors(o.clock); err != nil {
		return nil, err
	}
	if s.grpcListener, s.grpcConnections, err = s.listen(o.config.GRPC.Address); err != nil {
		return nil, fmt.Errorf("gRPC: %w", err)
	}
	if s.httpListener, s.httpConnections, err = s.listen(o.config.HTTP.Address); err != nil {
		return nil, fmt.Errorf("HTTP: %w", err)
	}
	var security credentials.TransportCredentials
	if s.certificate != nil {
		security = credentials.NewTLS(s.tlsSettings("h2"))
		s.httpListener = tls.NewListener(s.httpListener, s.tlsSettings("h2", "http/1.1"))
	}
	if err := s.openTracing(); err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	decider := s.decider()
	mapper := s.mapper(o.clock)
	s.door = s.newDoor()
	s.grpc = grpcapi.New(grpcapi.Options{
		Decider:   decider,
		Searcher:  decider,
		Planner:   decider,
		Directory: p.directory,
		Policies:  p.programs,
		Ready:     s.ready,
		Logger:    o.logger,
		Callers:   s.callers,
		Gate:      s.gate,
		Security:  security,
		Further:   s.extAuthz(mapper),
		Meter:     s.grpcMeter,
		Overview:  s.overview,
		Profile:   s.decisions.Profile,
		Stats:     s.tracedCalls(),

		Operations: extauthz.Operations(),

		Intake:         o.config.Limits.Intake.limits(),
		Limited:        s.metrics.Limited,
		MaxHeaderBytes: int(o.config.Limits.Intake.Headers),
		MaxCalls:       int(o.config.Limits.Intake.CallsPerConnection),
		Idle:           time.Duration(o.config.Limits.Intake.Idle),
		Admission:      s.door,
	})
	answers, err := s.authzen(s.withMetrics(s.forwardAuth(mapper)))
	if err != nil {
		return nil, err
	}
	s.readMetrics()
	if err := s.openAdmin(); err != nil {
		return nil, err
	}
	s.http = o.config.Limits.Intake.httpServer(s.tracedRequests(s.metrics.Requests(s.parting(answers))), o.logger)
	s.http.ConnContext = authzen.ConnContext
	return s, nil
}

// authzen is what answers over HTTP, the handlers given by their patterns beside it.
func (s *service) authzen(further map[string]http.Handler) (http.Handler, error) {
	publicURL, err := s.config.HTTP.publicURL()
	if err != nil {
		return nil, err
	}
	leaveOut, err := s.config.HTTP.leaveOut()
	if err != nil {
		return nil, err
	}
	decider := s.decider()
	return authzen.New(authzen.Options{
		Decider:       decider,
		Searcher:      decider,
		Planner:       decider,
		Ready:         s.ready,
		Amiss:         s.amiss,
		Callers:       s.callers,
		Gate:          s.gate,
		MeantFor:      s.config.meantFor(),
		Admission:     s.door,
		Logger:        s.logger,
		HasTenant:     func(name string) bool { return slices.Contains(s.tenants, name) },
		PublicURL:     publicURL,
		LeaveOut:      leaveOut,
		Further:       further,
		Operations:    furtherOperations(),
		Credentials:   proxyCredentials(),
		Requests:      intake.NewRequests(intake.Options{Limits: s.config.Limits.Intake.limits(), Limited: s.metrics.Limited, Logger: s.logger}),
		MaxInputBytes: int(s.config.Limits.Input),
	}), nil
}

// activate makes every tenant's policy active. A tenant whose policy is
// refused is logged, and tried again when its bundle changes; only when no
// tenant at all can be served is it an error.
func (s *service) activate(ctx context.Context) error {
	var errs []error
	for _, tenant := range s.tenants {
		if err := s.programs.Activate(ctx, tenant); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", tenant, err))
		}
	}
	if len(errs) == len(s.tenants) {
		return errors.Join(errs...)
	}
	return nil
}

// run answers requests until ctx is done, then finishes those in flight.
func (s *service) run(ctx context.Context) error {
	s.logger.Info("serving",
		zap.String("grpc", dialable(s.grpcListener.Addr())),
		zap.String("http", dialable(s.httpListener.Addr())),
		zap.Bool("tls", s.certificate != nil),
		zap.Strings("tenants", s.tenants))
	s.logCallers()
	s.tellManager(managerReady)

	group, failed := errgroup.WithContext(context.WithoutCancel(ctx))
	serving, stop := context.WithCancel(failed)
	defer stop()
	group.Go(func() error { return s.grpc.Serve(s.grpcListener) })
	group.Go(func() error {
		if err := s.http.Serve(s.httpListener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error { return s.programs.Watch(serving) })
	group.Go(func() error { return s.watchDoors(serving) })
	if s.admin != nil {
		group.Go(func() error { return s.admin.run(serving) })
	}
	group.Go(func() error { return s.door.Run(serving) })
	group.Go(func() error {
		keepHeap(serving, s.config.Limits.Garbage)
		return nil
	})
	if s.certificate != nil {
		group.Go(func() error { return s.certificate.watch(serving) })
	}
	group.Go(func() error {
		select {
		case <-ctx.Done():
			s.drain(failed)
		case <-failed.Done():
		}
		stop()
		s.shutdown()
		return nil
	})
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// Close closes what is open. run must have returned.
func (s *service) Close() error { return s.close(s.point.Close) }

// giveUp closes a service that cannot start, and leaves no store behind where there was
// none.
func (s *service) giveUp() error { return s.close(s.point.giveUp) }

func (s *service) close(point func() error) error {
	for _, listener := range []net.Listener{s.grpcListener, s.httpListener} {
		if listener != nil {
			listener.Close() // closed already when it was served
		}
	}
	if s.admin != nil {
		s.admin.listener.Close()
	}
	var untold error
	if s.tracing != nil {
		untold = s.tracing.Close()
	}
	return errors.Join(point(), untold)
}
