package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/verdictpdp/verdict/engine/server/authzen"
)

// TestConnectionsOnWhichNothingIsSaid holds that they are closed, wherever in their
// beginning they stop.
func TestConnectionsOnWhichNothingIsSaid(t *testing.T) {
	skipShort(t)
	t.Parallel() // it waits for long
	authority := newAuthority(t)
	var waiting sync.WaitGroup
	for name, files := range map[string]tlsConfig{"over TLS": authority.issue(t, t.TempDir(), 1), "without TLS": {}} {
		cfg := defaultConfig()
		cfg.TLS = files
		s, _ := startService(t, cfg, bundleAt("default", constantBundle(t)))
		for door, listener := range map[string]net.Listener{"gRPC": s.grpcListener, "HTTP": s.httpListener} {
			conns := map[string]net.Conn{"a silent one": speak(t, listener.Addr().String(), "")}
			if files.on() {
				conns["half a handshake"] = speak(t, listener.Addr().String(), "\x16\x03\x01")
				over := authority.client()
				over.ServerName, over.NextProtos = "127.0.0.1", []string{"h2"}
				secured := tls.Client(speak(t, listener.Addr().String(), ""), over)
				if err := secured.HandshakeContext(t.Context()); err != nil {
					t.Fatal(err)
				}
				conns["a handshake and no more"] = secured
			} else {
				conns["half a preface"] = speak(t, listener.Addr().String(), http2.ClientPreface[:10])
			}
			for what, conn := range conns {
				waiting.Go(func() {
					// Twice of what it may take, and less than the whole of a request may.
					_ = conn.SetDeadline(time.Now().Add(authzen.DefaultMaxTime))
					if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("%s %s: %s is not closed", door, name, what)
					}
				})
			}
		}
	}
	waiting.Wait()
}

// TestBodiesThatAreNotSent holds that requests end whose bodies never do, and over
// HTTP/1.1 their connections.
func TestBodiesThatAreNotSent(t *testing.T) {
	skipShort(t)
	t.Parallel() // it waits for long
	authority := newAuthority(t)
	cfg := defaultConfig()
	plain, _ := startService(t, cfg, bundleAt("default", constantBundle(t)))
	cfg.TLS = authority.issue(t, t.TempDir(), 1)
	secured, _ := startService(t, cfg, bundleAt("default", constantBundle(t)))

	over := authority.client()
	over.ServerName, over.NextProtos = "127.0.0.1", []string{"h2"}
	a := attack(t, secured.httpListener.Addr().String(), over).listen()
	stream := a.open("/access/v1/evaluation", hpack.HeaderField{Name: "content-type", Value: "application/json"})
	web := speak(t, plain.httpListener.Addr().String(), "POST /access/v1/evaluation HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
	dripping := make(chan struct{})
	go func() { // a byte now and then helps nothing
		defer close(dripping)
		for {
			if _, err := web.Write([]byte(" ")); err != nil || a.framer.WriteData(stream, false, []byte(" ")) != nil {
				return
			}
			time.Sleep(time.Second / 2)
		}
	}()
	answer, err := io.ReadAll(web)
	if !strings.HasPrefix(string(answer), "HTTP/1.1 504 ") || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a body over HTTP/1.1: %q, %v", answer, err)
	}
	a.await("the end of the request over HTTP/2", func() bool { return a.status[stream] == "504 " })
	a.conn.Close()
	web.Close()
	<-dripping
}

// TestIdleConnections has connections on which something was asked be without a call.
func TestIdleConnections(t *testing.T) {
	skipShort(t)
	t.Parallel() // it waits for long
	cfg := defaultConfig()
	cfg.Limits.Intake.Idle = duration(100 * time.Millisecond)
	s, _ := startService(t, cfg, bundleAt("default", constantBundle(t)))
	a := attack(t, s.grpcListener.Addr().String(), nil).listen()
	a.check()
	late := time.AfterFunc(patience, func() { a.conn.Close() })
	defer late.Stop()
	// Without a limit of its own, net/http would wait as long as for a whole request.
	soon := time.Now().Add(authzen.DefaultMaxTime)
	web := speak(t, s.httpListener.Addr().String(), "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	if err := web.SetReadDeadline(soon); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, web); err != nil {
		t.Errorf("the idle connection over HTTP: %v", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.ended == nil {
		a.changed.Wait()
	}
	if !errors.Is(a.ended, io.EOF) {
		t.Errorf("the idle connection of gRPC: %v", a.ended)
	}
}

// TestRequestsOfAConnection has a client of HTTP/2 have one request more open than it may.
func TestRequestsOfAConnection(t *testing.T) {
	authority := newAuthority(t)
	cfg := defaultConfig()
	cfg.TLS = authority.issue(t, t.TempDir(), 1)
	cfg.Limits.Intake.CallsPerConnection = 2
	s, _ := startService(t, cfg, bundleAt("default", constantBundle(t)))
	over := authority.client()
	over.ServerName, over.NextProtos = "127.0.0.1", []string{"h2"}
	a := attack(t, s.httpListener.Addr().String(), over).listen()
	open := func() uint32 {
		return a.open("/access/v1/evaluation", hpack.HeaderField{Name: "content-type", Value: "application/json"})
	}
	first, second := open(), open()
	beyond := open()
	a.await("a request beyond is reset", func() bool { _, isReset := a.resets[beyond]; return isReset })
	if err := a.framer.WriteRSTStream(first, http2.ErrCodeCancel); err != nil {
		t.Fatal(err)
	}
	third := open()
	for _, stream := range []uint32{second, third} {
		body := `{"subject":{"type":"user","id":"mina"},"action":{"name":"read"},"resource":{"type":"document","id":"plan"}}`
		if err := a.framer.WriteData(stream, true, []byte(body)); err != nil {
			t.Fatal(err)
		}
		a.await(fmt.Sprintf("an answer on stream %d", stream), func() bool { return a.data[stream] > 0 && a.status[stream] == "" })
	}
}
