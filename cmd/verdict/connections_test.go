package main

import (
	"net"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/api/authz"
)

// from opens a connection from a loopback address, and reports whether it is kept.
func from(t *testing.T, local string, to net.Listener) (conn net.Conn, kept bool) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", to.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	// A server says nothing before it is asked, so that what can be read is the end.
	if err := conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Read(make([]byte, 1))
	timeout, is := err.(net.Error)
	return conn, is && timeout.Timeout()
}

func TestConnectionsAreBounded(t *testing.T) {
	tests := []struct {
		name   string
		limits limitsConfig
		peers  []string // whose connections are kept, one after another
		beyond string   // whose next one is not
		other  string   // whose next one is kept then, if any
		limit  string
	}{
		{"in all", limitsConfig{Connections: 3, ConnectionsPerPeer: 3}, []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}, "127.0.0.4", "", "limits.connections"},
		{"of one peer", limitsConfig{Connections: 9, ConnectionsPerPeer: 2}, []string{"127.0.0.1", "127.0.0.1"}, "127.0.0.1", "127.0.0.2", "limits.connections_per_peer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limited := make(chan authz.Limit, 10)
			core, logs := observer.New(zapcore.WarnLevel)
			below, err := openListener("127.0.0.1:0", defaultSockets())
			if err != nil {
				t.Fatal(err)
			}
			listener := bounded(below, tt.limits, zap.New(core), func(limit authz.Limit) { limited <- limit })
			defer listener.Close()
			go serveNothing(listener)

			var first net.Conn
			for i, peer := range tt.peers {
				conn, kept := from(t, peer, listener)
				if !kept {
					t.Fatalf("connection %d is closed", i+1)
				}
				if first == nil {
					first = conn
				}
			}
			for range 3 { // a connection that is closed counts for none
				if _, kept := from(t, tt.beyond, listener); kept {
					t.Error("a connection beyond the limit is kept")
				}
			}
			if line := logs.TakeAll()[0]; line.ContextMap()["limit"] != tt.limit || line.ContextMap()["peer"] != tt.beyond+"/32" {
				t.Errorf("the log says %v", line.ContextMap())
			}
			if limit := <-limited; "limits."+limit.String() != tt.limit {
				t.Errorf("counted for the limit %v", limit)
			}
			if tt.other != "" {
				if _, kept := from(t, tt.other, listener); !kept {
					t.Error("another peer's connection is closed")
				}
			}
			first.Close()
			for end := time.Now().Add(10 * time.Second); ; { // until the server has noticed
				if _, kept := from(t, tt.beyond, listener); kept {
					break
				}
				if time.Now().After(end) {
					t.Fatal("no connection is kept after one has ended")
				}
			}
		})
	}
}

// serveNothing reads from each connection until it ends.
func serveNothing(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for {
				if _, err := conn.Read(make([]byte, 1)); err != nil {
					return
				}
			}
		}()
	}
}

// Both addresses of a service are bounded.
func TestServiceBoundsConnections(t *testing.T) {
	cfg := defaultConfig()
	cfg.Limits.Connections = 1
	s, end, ended := startEnding(t, cfg, bundleAt("default", constantBundle(t)))
	for _, listener := range []net.Listener{s.grpcListener, s.httpListener} {
		speak(t, listener.Addr().String(), "")
		beyond := speak(t, listener.Addr().String(), "")
		if _, err := beyond.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s keeps a connection beyond the limit", listener.Addr())
		} else if timeout, is := err.(net.Error); is && timeout.Timeout() {
			t.Errorf("%s lets a connection beyond the limit wait", listener.Addr())
		}
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
