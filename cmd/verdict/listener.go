package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// validateAddresses refuses what is no address to listen on, and one that is given twice.
func (c *config) validateAddresses(refuse func(field, format string, args ...any)) {
	taken := map[string]string{}
	for _, way := range []struct{ field, address string }{
		{"grpc.address", c.GRPC.Address}, {"http.address", c.HTTP.Address}, {"admin.address", c.Admin.Address},
	} {
		if way.field == "admin.address" && way.address == "" {
			continue // nowhere
		}
		if err := checkAddress(way.address); err != nil {
			refuse(way.field, "%s", err)
			continue
		}
		place := placeOf(way.address)
		if other, isTaken := taken[place]; isTaken && !strings.HasSuffix(place, ":0") {
			refuse(way.field, "%s is %s as well: expected an address of its own", way.address, other)
		}
		taken[place] = way.field
	}
}

// placeOf is the same for addresses that are one, however they are written.
func placeOf(address string) string {
	if path, isUnix := socketPath(address); isUnix {
		if whole, err := filepath.Abs(path); err == nil {
			return unixPrefix + whole
		}
		return address
	}
	if port, isLoopback := strings.CutPrefix(address, "localhost:"); isLoopback {
		return "127.0.0.1:" + port
	}
	return address
}

// listen opens a way in, whose connections are bounded and end with it, and what bounds them.
func (s *service) listen(address string) (net.Listener, *boundedListener, error) {
	listener, err := openListener(address, s.config.Sockets)
	if err != nil {
		return nil, nil, err
	}
	connections := bounded(listener, s.config.Limits, s.logger, s.metrics.Limited)
	return hearing(connections, s.config.TLS.on()), connections, nil
}

// openListener opens host:port or unix:///path. A socket that a dead process left
// behind is removed; one that answers is not.
func openListener(address string, sockets socketsConfig) (net.Listener, error) {
	path, isUnix := socketPath(address)
	if !isUnix {
		listener, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s is in use by another process: end that one, or choose another address", address)
		}
		return listener, err
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		conn, err := net.DialTimeout("unix", path, time.Second)
		if err == nil {
			conn.Close()
		}
		// One that does not answer just now is not dead.
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("%s is in use by another process: end that one, or choose another address", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return sockets.listen(path)
}

// A hearingListener closes, with itself, the connections on which nothing was ever
// heard, and over TLS those that were never answered, which have not come to a request.
// Neither net/http nor gRPC can tell one from a request that is about to come, so that
// each would wait for some seconds before it ends.
type hearingListener struct {
	net.Listener
	overTLS bool
	mu      sync.Mutex
	closed  bool
	silent  map[*hearingConn]struct{}
}

func hearing(below net.Listener, overTLS bool) net.Listener {
	return &hearingListener{Listener: below, overTLS: overTLS, silent: map[*hearingConn]struct{}{}}
}

// Accept implements net.Listener.
func (l *hearingListener) Accept() (net.Conn, error) {
	below, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &hearingConn{Conn: below, listener: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		below.Close()
		return nil, net.ErrClosed
	}
	l.silent[conn] = struct{}{}
	return conn, nil
}

// Close implements net.Listener.
func (l *hearingListener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for conn := range l.silent {
		conn.Conn.Close()
	}
	clear(l.silent)
	return err
}

// A hearingConn is silent until something is read from it, or over TLS written to it.
type hearingConn struct {
	net.Conn
	listener *hearingListener
	heard    sync.Once
}

// Read implements net.Conn.
func (c *hearingConn) Read(to []byte) (int, error) {
	n, err := c.Conn.Read(to)
	if n > 0 && !c.listener.overTLS {
		c.heard.Do(c.leave)
	}
	return n, err
}

// Write implements net.Conn.
func (c *hearingConn) Write(text []byte) (int, error) {
	if c.listener.overTLS {
		c.heard.Do(c.leave)
	}
	return c.Conn.Write(text)
}

// NetConn is the connection below, as that of tls.Conn.
func (c *hearingConn) NetConn() net.Conn { return c.Conn }

// Close implements net.Conn.
func (c *hearingConn) Close() error {
	c.heard.Do(c.leave)
	return c.Conn.Close()
}

func (c *hearingConn) leave() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	delete(c.listener.silent, c)
}
