package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// A remote is the server that a command talks to, and the tenant it means.
type remote struct {
	server string
	tenant string
	// ca is the file of the authorities by which a server is known over TLS;
	// empty is without TLS.
	ca string
	// shown is how the command shows who calls.
	shown   proof
	timeout timeout
}

// addFlags offers --server, --ca and --tenant, and what shows who calls.
func (r *remote) addFlags(cmd *cobra.Command) {
	r.addServerFlags(cmd)
	cmd.Flags().StringVar(&r.tenant, "tenant", authz.DefaultTenant, "the `tenant` that is meant")
}

// addServerFlags is addFlags for a command that means all tenants.
func (r *remote) addServerFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.server, "server", defaultGRPC, "gRPC `address` of the server, host:port or unix:///path")
	cmd.Flags().StringVar(&r.ca, "ca", "", "talk TLS to a server whose certificate one of those in this `file` (PEM) has signed")
	r.shown.addFlags(cmd)
}

// asksNoServer refuses, beside a flag by which a command asks no server, those that say which
// one is asked and who asks: they would do nothing.
func asksNoServer(cmd *cobra.Command, local string) {
	for _, remote := range []string{"server", "ca", "token", "token-file", "cert", "key"} {
		cmd.MarkFlagsMutuallyExclusive(remote, local)
	}
}

// addTimeoutFlag offers --timeout to a command that is over soon.
func (r *remote) addTimeoutFlag(cmd *cobra.Command) {
	r.timeout = timeout(30 * time.Second)
	cmd.Flags().Var(&r.timeout, "timeout", "how long to wait for the server")
}

// bounded is the context of a command with --timeout.
func (r *remote) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(r.timeout))
}

// inTime is the error of a call under a bounded context. The server is told of
// the bound, and may report it a moment before this side does.
func (r *remote) inTime(ctx context.Context, err error) error {
	const moment = 100 * time.Millisecond
	end, _ := ctx.Deadline()
	late := errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		status.Code(err) == codes.DeadlineExceeded && time.Until(end) < moment
	switch {
	case err != nil && late:
		return fmt.Errorf("no answer from %s within --timeout %s", r.server, &r.timeout)
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	}
	return err
}

// ask is a client of the server. It asks once, and also a server that says that it is
// not ready: what keeps it from that is in its answer.
func (r *remote) ask() (*client.Client, error) {
	if err := checkAddress(r.server); err != nil {
		return nil, fmt.Errorf("--server %w", err)
	}
	options := []client.Option{
		client.WithoutCoalescing(), client.WithAttempts(1), client.WithPlaintextOverNetwork(),
		client.WithDialOptions(grpc.WithDisableHealthCheck()),
	}
	var security *tls.Config
	if r.ca != "" {
		pool, err := authorities(r.ca)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		security = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	}
	shown, err := r.shown.options(security)
	if err != nil {
		return nil, err
	}
	options = append(options, shown...)
	if security != nil {
		options = append(options, client.WithTLS(security))
	}
	server := r.server
	if strings.HasPrefix(server, ":") { // as the address to listen on may be given
		server = "localhost" + server
	}
	c, err := client.New(server, options...)
	if err != nil {
		return nil, fmt.Errorf("--server: %w", err)
	}
	return c, nil
}

// A connection is to the services that the client has no calls for.
type connection struct {
	grpc.ClientConnInterface
	io.Closer
}

func (r *remote) dial() (connection, error) {
	c, err := r.ask()
	if err != nil {
		return connection{}, err
	}
	return connection{c.Conn(), c}, nil
}

const unixPrefix = "unix://"

// socketPath is the path of a Unix socket's address, unix:///path.
func socketPath(address string) (path string, isUnix bool) {
	return strings.CutPrefix(address, unixPrefix)
}

func isSocket(address string) bool {
	_, isUnix := socketPath(address)
	return isUnix
}

// checkAddress refuses what is no address to listen on or to dial.
func checkAddress(address string) error {
	path, isUnix := socketPath(address)
	_, port, _ := net.SplitHostPort(address)
	switch {
	case isUnix && path != "":
		return nil
	case isUnix || port == "":
		return fmt.Errorf("%q is no address: expected host:port or unix:///path", address)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("%q is no address: its port is no number from 0 to 65535", address)
	}
	return nil
}

// dialable is a listener's address as --server takes it.
func dialable(addr net.Addr) string {
	if addr.Network() == "unix" {
		return unixPrefix + addr.String()
	}
	return addr.String()
}

// consistencyFlags choose the directory revision that is read.
type consistencyFlags struct {
	atLeast, exact uint64
	exactGiven     func() bool
}

func (c *consistencyFlags) addFlags(cmd *cobra.Command) {
	c.exactGiven = func() bool { return cmd.Flags().Changed("exact") }
	cmd.Flags().Uint64Var(&c.atLeast, "at-least", 0, "wait until the directory has reached this `revision`")
	cmd.Flags().Uint64Var(&c.exact, "exact", 0, "read the directory at exactly this `revision`")
	cmd.MarkFlagsMutuallyExclusive("at-least", "exact")
}

// consistency is what the flags say.
func (c *consistencyFlags) consistency() (authz.Consistency, error) {
	if c.exactGiven() && c.exact == 0 {
		return authz.Consistency{}, errors.New("--exact 0: revisions begin with 1")
	}
	return authz.Consistency{AtLeast: c.atLeast, Exact: c.exact}, nil
}

func (c *consistencyFlags) proto() *verdictv1.Consistency {
	switch {
	case c.exactGiven():
		return exactly(c.exact)
	case c.atLeast != 0:
		return &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: c.atLeast}}
	}
	return nil
}

// exactly asks for one revision and no other.
func exactly(revision uint64) *verdictv1.Consistency {
	return &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{Exact: revision}}
}
