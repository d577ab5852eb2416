package main

import (
	"net"
	"net/netip"
	"sync"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/intake"
)

// A boundedListener closes the connections beyond a number at once, of one peer and in
// all. What waited instead would be in the way of those that come after.
type boundedListener struct {
	net.Listener
	most, perPeer int
	logger        *zap.Logger
	// limited counts the connections that are closed.
	limited func(authz.Limit)

	mu     sync.Mutex
	open   int
	byPeer map[netip.Prefix]int
}

func bounded(below net.Listener, limits limitsConfig, logger *zap.Logger, limited func(authz.Limit)) *boundedListener {
	return &boundedListener{
		Listener: below, most: int(limits.Connections), perPeer: int(limits.ConnectionsPerPeer), logger: logger, limited: limited,
		byPeer: make(map[netip.Prefix]int),
	}
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		below, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := intake.PeerOf(below.RemoteAddr())
		limit, admitted := l.admit(peer)
		if admitted {
			return &boundedConn{Conn: below, listener: l, peer: peer}, nil
		}
		below.Close()
		l.limited(limit)
		l.logger.Warn("a connection is closed: there are too many", zap.Stringer("address", l.Addr()), zap.Stringer("peer", peer), zap.String("limit", "limits."+limit.String()))
	}
}

// admit counts a connection, or names the limit that it would be beyond.
func (l *boundedListener) admit(peer netip.Prefix) (limit authz.Limit, admitted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.open >= l.most:
		return authz.ConnectionsLimit, false
	case peer.IsValid() && l.byPeer[peer] >= l.perPeer:
		return authz.ConnectionsPerPeerLimit, false
	}
	l.open++
	l.byPeer[peer]++
	return 0, true
}

// count is how many connections are open.
func (l *boundedListener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

func (l *boundedListener) leave(peer netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.byPeer[peer]--; l.byPeer[peer] == 0 {
		delete(l.byPeer, peer)
	}
}

// A boundedConn is counted until it is closed.
type boundedConn struct {
	net.Conn
	listener *boundedListener
	peer     netip.Prefix
	closed   sync.Once
}

// NetConn is the connection below, as that of tls.Conn.
func (c *boundedConn) NetConn() net.Conn { return c.Conn }

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	err := c.Conn.Close()
	c.closed.Do(func() { c.listener.leave(c.peer) })
	return err
}
