package client

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/health" // asks a server's health before it is called
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

const (
	// silence is how long nothing is heard from a server before it is pinged.
	silence = 30 * time.Second
	// maxPong is how long the answer may take before the server is taken to be
	// gone.
	maxPong = 10 * time.Second
	// maxMessageBytes is the largest answer that is taken.
	maxMessageBytes = 64 << 20
	// maxBackoff is how long a server that cannot be reached is left alone at
	// most, and so how late it is noticed to be back.
	maxBackoff = 5 * time.Second
)

// New makes a client of a server at host:port or unix:///path. Of a name that
// stands for several addresses, and of several servers given with commas between,
// those that are ready are asked in turn; the pages of a search come from one of them.
// A server is ready once it has tried the policies of its tenants. What is asked of a
// tenant whose policy it refused is Unavailable there, and asked of another server.
//
// It talks without TLS to servers on loopback and on Unix sockets. Others need
// WithCA or WithTLS.
//
// New does not wait for the server: see Client.WaitReady. Its errors are of kind
// Invalid.
func New(target string, options ...Option) (*Client, error) {
	s, err := settingsOf(options)
	if err != nil {
		return nil, err
	}
	servers, err := parseTarget(target)
	if err != nil {
		return nil, err
	}
	local := allLocal(servers)
	if s.tls == nil && !local && !s.plaintext {
		return nil, authz.InvalidField("target", "%s is not on loopback: give WithCA or WithTLS, or say WithPlaintextOverNetwork", authz.Quote(target))
	}
	if s.tls == nil && !local && s.token != nil {
		return nil, authz.InvalidField("token", "a token does not go over a network without TLS: give WithCA or WithTLS")
	}
	var token *bearer
	if s.token != nil {
		token = &bearer{source: s.token, overNetwork: s.tls != nil}
	}
	conn, err := dial(servers, s, token)
	if err != nil {
		return nil, authz.InvalidField("target", "%s: %v", authz.Quote(target), err)
	}
	c := &Client{
		target: target, tenant: s.tenant, timeout: s.timeout, bearer: token,
		conn: conn, access: verdictv1.NewAccessServiceClient(conn), closed: make(chan struct{}),
		pages:    verdictv1.NewAccessServiceClient(paging{conn}),
		attempts: s.attempts, again: newBudget(),
	}
	if s.coalescing != nil {
		c.gather = newCoalescer(c.access, s.coalescing.withDefaults())
	}
	return c, nil
}

func dial(servers []server, s *settings, token *bearer) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if s.tls != nil {
		transport = credentials.NewTLS(s.tls)
	}
	reconnect := backoff.DefaultConfig
	reconnect.BaseDelay, reconnect.MaxDelay = 100*time.Millisecond, maxBackoff
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDisableServiceConfig(), // that of whoever runs the name server
		grpc.WithDefaultServiceConfig(s.serviceConfig()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: 5 * time.Second}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: silence, Timeout: maxPong, PermitWithoutStream: true}),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(maxMessageBytes),
			grpc.MaxRetryRPCBufferSize(2*maxBatchBytes),
		),
	}
	if token != nil {
		options = append(options, grpc.WithPerRPCCredentials(token))
	}
	target := servers[0].target()
	if len(servers) > 1 {
		list := manual.NewBuilderWithScheme("verdict")
		list.InitialState(resolver.State{Endpoints: endpoints(servers)})
		options = append(options, grpc.WithResolvers(list))
		target = "verdict:///" + servers[0].address
	}
	return grpc.NewClient(target, append(options, s.dial...)...)
}

// A server is where one listens.
type server struct {
	// address is host:port, or the absolute path of a Unix socket.
	address string
	host    string
	unix    bool
}

const unixPrefix = "unix://"

func parseTarget(target string) ([]server, error) {
	var servers []server
	for text := range strings.SplitSeq(target, ",") {
		text = strings.TrimSpace(text)
		if path, isUnix := strings.CutPrefix(text, unixPrefix); isUnix && path != "" {
			absolute, err := filepath.Abs(path)
			if err != nil {
				return nil, authz.InvalidField("target", "%s: %v", authz.Quote(text), err)
			}
			servers = append(servers, server{address: absolute, unix: true})
			continue
		}
		host, port, err := net.SplitHostPort(text)
		if err != nil || host == "" || port == "" || strings.ContainsAny(text, "/ ") {
			return nil, authz.InvalidField("target", "%s is no address of a server: expected host:port or unix:///path", authz.Quote(text))
		}
		servers = append(servers, server{address: text, host: host})
	}
	return servers, nil
}

// target is the server as gRPC writes it.
func (s server) target() string {
	if s.unix {
		return unixPrefix + s.address
	}
	return "dns:///" + s.address
}

func endpoints(servers []server) []resolver.Endpoint {
	var all []resolver.Endpoint
	for _, s := range servers {
		address := resolver.Address{Addr: s.address, ServerName: s.host}
		if s.unix {
			address = resolver.Address{Addr: unixPrefix + s.address, ServerName: "localhost"}
		}
		all = append(all, resolver.Endpoint{Addresses: []resolver.Address{address}})
	}
	return all
}

// allLocal is whether what is said to the servers stays on this machine.
func allLocal(servers []server) bool {
	for _, s := range servers {
		ip, err := netip.ParseAddr(s.host)
		if !s.unix && s.host != "localhost" && (err != nil || !ip.Unmap().IsLoopback()) {
			return false
		}
	}
	return true
}

// Ready is nil when a server can be asked: it is connected and says that it is
// ready. It does not wait, and has an unused client connect.
func (c *Client) Ready() error {
	c.conn.Connect()
	if state := c.conn.GetState(); state != connectivity.Ready {
		return authz.Errorf(authz.Unavailable, "verdict at %s: not ready: the connection is in state %s", c.target, state)
	}
	return nil
}

// WaitReady waits until Ready is nil, or for the context's end, which is its
// error.
func (c *Client) WaitReady(ctx context.Context) error {
	for {
		c.conn.Connect()
		state := c.conn.GetState()
		switch {
		case state == connectivity.Ready:
			return nil
		case state == connectivity.Shutdown:
			return c.failure(ctx, errClosed)
		case !c.conn.WaitForStateChange(ctx, state):
			kind := authz.KindOf(ctx.Err())
			return &authz.Error{Kind: kind, Err: ctx.Err(), Message: "verdict at " + c.target + ": not ready in time: the connection is in state " + state.String()}
		}
	}
}
