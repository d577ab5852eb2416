package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"
)

// An adminConfig is where those who operate the service look into it.
type adminConfig struct {
	Address        string `yaml:"address" env:"ADDRESS"`
	BeyondLoopback bool   `yaml:"beyond_loopback" env:"BEYOND_LOOPBACK"`
}

// validateReach refuses an address that others could reach. Profiles tell of what is in
// memory, and taking them costs.
func (c adminConfig) validateReach(refuse func(field, format string, args ...any)) {
	if c.Address == "" || checkAddress(c.Address) != nil {
		return
	}
	if !isLocal(c.Address) && !c.BeyondLoopback {
		refuse("admin.address", "%q reaches beyond loopback, and whoever reaches it sees into the memory of the service: name 127.0.0.1, [::1] or unix:///path, or set admin.beyond_loopback: true", c.Address)
	}
}

const (
	// adminConnections are at a time: a Prometheus server, and two persons.
	adminConnections = 16
	// longestProfile is for how long a profile may be taken.
	longestProfile = 2 * time.Minute
)

// An admin is the way in for those who operate the service.
type admin struct {
	listener net.Listener
	server   *http.Server
}

// openAdmin opens it, if there is to be one.
func (s *service) openAdmin() error {
	if s.config.Admin.Address == "" {
		return nil
	}
	// A socket is for the service's own user alone, whatever the others are.
	listener, err := openListener(s.config.Admin.Address, defaultSockets())
	if err != nil {
		return fmt.Errorf("admin: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler(s.logger))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	s.admin = &admin{
		listener: netutil.LimitListener(listener, adminConnections),
		server: &http.Server{
			Handler:           s.config.Admin.notForBrowsers(mux),
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      longestProfile,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    16 << 10,
			ErrorLog:          zap.NewStdLog(s.logger),
		},
	}
	return nil
}

// run answers until ctx is done. Nobody waits for a profile that is under way.
func (a *admin) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { a.server.Close() })()
	if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// notForBrowsers refuses what a site has a browser on this machine ask, under a name that
// the site has pointed to loopback.
func (c adminConfig) notForBrowsers(handler http.Handler) http.Handler {
	if _, isUnix := socketPath(c.Address); isUnix || !isLocal(c.Address) {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if bare, _, err := net.SplitHostPort(host); err == nil {
			host = bare
		}
		if !isLoopbackHost(strings.Trim(host, "[]")) {
			http.Error(w, "ask for a loopback address by its name or number", http.StatusMisdirectedRequest)
			return
		}
		handler.ServeHTTP(w, r)
	})
}
