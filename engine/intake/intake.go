package intake

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc/credentials"
	grpcpeer "google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"

	"github.com/verdictpdp/verdict/api/authz"
)

// Limits are what an Intake bounds. What is 0 has its default.
type Limits struct {
	// Calls and CallsPerPeer are how many calls are open at a time, streams included,
	// in all and of one peer: see PeerOf.
	Calls, CallsPerPeer int
	// Bytes is how much calls hold at a time, all together: of messages that have not
	// come to their end, of answers that are not on their way, and of what Keep says.
	Bytes int64
	// Transfer is how long a message may take to come, and how long an answer may
	// stay without any of it being taken.
	Transfer time.Duration
}

// The defaults of Limits.
const (
	DefaultCalls        = 10_000
	DefaultCallsPerPeer = 2_500
	DefaultBytes        = 256 << 20
	DefaultTransfer     = 30 * time.Second
)

// Options are the parts of an Intake, all required but for Limited.
type Options struct {
	Limits Limits
	// Limited is told of each limit that is reached; nil for nobody.
	Limited func(authz.Limit)
	// MayWait says of a method whether its client may leave a call without a message
	// for long.
	MayWait func(fullMethod string) bool
	Logger  *zap.Logger
}

// An Intake follows the connections of a gRPC server, whose credentials and whose tap
// it is. The server must not read ahead: grpc.ReadBufferSize(0).
type Intake struct {
	limits  Limits
	limited func(authz.Limit)
	mayWait func(string) bool
	logger  *zap.Logger

	started time.Time
	ticks   atomic.Int64 // the time since then, as of the last tick

	calls, held atomic.Int64

	mu    sync.Mutex
	conns map[*conn]struct{}
	peers map[netip.Prefix]*peer
	// relieving is held by who looks for calls to reset.
	relieving sync.Mutex
}

// A peer is whoever connections are from.
type peer struct {
	prefix      netip.Prefix
	conns       int
	calls, held atomic.Int64
}

// New makes an Intake. It keeps time while Run runs.
func New(o Options) *Intake {
	if o.Limited == nil {
		o.Limited = func(authz.Limit) {}
	}
	return &Intake{
		limits: o.Limits.orDefaults(), limited: o.Limited, mayWait: o.MayWait, logger: o.Logger, started: time.Now(),
		conns: map[*conn]struct{}{}, peers: map[netip.Prefix]*peer{},
	}
}

// PeerOf is who a connection is from: an IPv4 address, or the 64 bits of an IPv6
// address that one subscriber has. It is not valid for a Unix socket.
func PeerOf(address net.Addr) netip.Prefix { return peerAt(address.String()) }

func peerAt(address string) netip.Prefix {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	const subscriber = 64
	ip := at.Addr().Unmap()
	peer, _ := ip.Prefix(min(ip.BitLen(), subscriber))
	return peer
}

// Run resets the calls and closes the connections that last too long, until ctx is
// done.
func (i *Intake) Run(ctx context.Context) {
	const perTransfer = 10
	ticker := time.NewTicker(max(i.limits.Transfer/perTransfer, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Since(i.started)
		i.ticks.Store(int64(now))
		for _, c := range i.connections() {
			if c.sweep(now, i.limits.Transfer) {
				i.tell(c, "a connection is closed", authz.TransferLimit, "nothing is taken from it")
				c.Conn.Close() // which gRPC notices
			}
		}
	}
}

// now is the time, give or take a tick.
func (i *Intake) now() time.Duration { return time.Duration(i.ticks.Load()) }

func (i *Intake) connections() []*conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := make([]*conn, 0, len(i.conns))
	for c := range i.conns {
		all = append(all, c)
	}
	return all
}

// enter counts a connection that begins.
func (i *Intake) enter(c *conn) {
	prefix := PeerOf(c.RemoteAddr())
	i.mu.Lock()
	defer i.mu.Unlock()
	i.conns[c] = struct{}{}
	p := i.peers[prefix]
	if p == nil {
		p = &peer{prefix: prefix}
		i.peers[prefix] = p
	}
	p.conns++
	c.peer = p
}

func (i *Intake) leave(c *conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.conns, c)
	if c.peer.conns--; c.peer.conns == 0 {
		delete(i.peers, c.peer.prefix)
	}
}

// Tap is for a server's tap: it refuses the calls beyond the limits, with an error of
// kind authz.Overloaded.
func (i *Intake) Tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	call, err := i.begin(ctx, info.FullMethodName)
	if err != nil {
		return nil, err
	}
	call.Context = ctx
	return call, nil
}

type callKey struct{}

// Refuse resets a call that Tap has refused. It is for the tap that begins the call all
// the same, since gRPC keeps what its tap refuses until the call's deadline, which
// the client sets. Nothing of the call is read after its headers.
func (i *Intake) Refuse(ctx context.Context) {
	c := connOf(ctx)
	if c == nil {
		return
	}
	c.mu.Lock()
	call := c.calls[c.last]
	c.mu.Unlock()
	if call != nil {
		c.reset(call)
	}
}

// connOf is the connection of a call whose headers have come just now; nil for one that
// is not followed.
func connOf(ctx context.Context) *conn {
	if from, is := grpcpeer.FromContext(ctx); is {
		if local, is := from.LocalAddr.(*localAddr); is {
			return local.conn
		}
	}
	return nil
}

func (i *Intake) begin(ctx context.Context, method string) (*call, error) {
	c := connOf(ctx)
	if c == nil {
		return nil, fmt.Errorf("the connection of %s is not followed: its server has not the credentials of its tap", method)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.calls[c.last]
	if call == nil {
		return nil, authz.Errorf(authz.Canceled, "the call has ended")
	}
	if limit := i.admit(c.peer); limit != authz.OtherLimit {
		i.tell(c, "a call is refused", limit, "there are too many")
		return nil, tooMany(limit)
	}
	call.isTapped, call.isPatient = true, i.mayWait(method)
	return call, nil
}

// tooMany refuses what is beyond a limit.
func tooMany(limit authz.Limit) error {
	return &authz.Error{
		Kind: authz.Overloaded, Limit: limit, RetryAfter: time.Second,
		Message: "more calls are open than limits." + limit.String() + " allows: end some, or try again later",
	}
}

// admit counts a call, or says which limit it would be beyond.
func (i *Intake) admit(p *peer) (limit authz.Limit) {
	switch {
	case i.calls.Add(1) > int64(i.limits.Calls):
		limit = authz.CallsLimit
	case p.calls.Add(1) > int64(i.limits.CallsPerPeer) && p.prefix.IsValid():
		limit = authz.CallsPerPeerLimit
		p.calls.Add(-1)
	default:
		return authz.OtherLimit
	}
	i.calls.Add(-1)
	return limit
}

// Answering takes note that the call of a context is about to send an answer, of so many
// bytes besides its prefix.
func (i *Intake) Answering(ctx context.Context, bytes int) {
	c, is := ctx.Value(callKey{}).(*call)
	if !is {
		return
	}
	tooMuch := c.conn.change(c.id, func(c *call) { c.answer(int64(bytes)+prefixBytes, i.now()) })
	if tooMuch {
		i.relieve()
	}
}

// Keep takes note that what serves the call of a context keeps so many bytes, until it is
// released.
func (i *Intake) Keep(ctx context.Context, bytes int) (release func()) {
	c, is := ctx.Value(callKey{}).(*call)
	if !is {
		return func() {}
	}
	if c.conn.change(c.id, func(c *call) { c.kept += int64(bytes) }) {
		i.relieve()
	}
	return func() { c.conn.change(c.id, func(c *call) { c.kept -= int64(bytes) }) }
}

// relieve resets calls until no more is held than may be.
func (i *Intake) relieve() {
	i.relieving.Lock()
	defer i.relieving.Unlock()
	for i.held.Load() > i.limits.Bytes {
		c := i.heaviest()
		if c == nil {
			return
		}
		if largest := c.largest(); largest != nil {
			i.tell(c, "a call is reset", authz.InFlightLimit, "it holds most of the peer that holds most")
			c.reset(largest)
		}
	}
}

// heaviest is the connection that holds most of the peer that does; nil if nothing is
// held.
func (i *Intake) heaviest() (heaviest *conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var from *peer
	for _, p := range i.peers {
		if held := p.held.Load(); held > 0 && (from == nil || held > from.held.Load()) {
			from = p
		}
	}
	if from == nil {
		return nil
	}
	var most int64
	for c := range i.conns {
		if held := c.held.Load(); c.peer == from && held > most {
			heaviest, most = c, held
		}
	}
	return heaviest
}

func (i *Intake) tell(c *conn, what string, limit authz.Limit, why string) {
	i.limited(limit)
	i.logger.Warn(what, zap.String("limit", "limits."+limit.String()), zap.String("why", why), zap.Stringer("peer", PeerOf(c.RemoteAddr())))
}

// Credentials are those of a server, whose connections are followed once they are
// secured; nil for no security.
func (i *Intake) Credentials(below credentials.TransportCredentials) credentials.TransportCredentials {
	return following{below, i}
}

// A following follows connections.
type following struct {
	credentials.TransportCredentials // nil for no security
	intake                           *Intake
}

// ServerHandshake implements credentials.TransportCredentials.
func (f following) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	if f.TransportCredentials == nil {
		return f.intake.follow(raw), nil, nil
	}
	secured, info, err := f.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	return f.intake.follow(secured), info, nil
}

// Info implements credentials.TransportCredentials.
func (f following) Info() credentials.ProtocolInfo {
	if f.TransportCredentials == nil {
		return credentials.ProtocolInfo{}
	}
	return f.TransportCredentials.Info()
}
