package main

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPortInUse(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	address := other.Addr().String()
	_, err = openListener(address, socketsConfig{})
	if want := address + " is in use by another process: end that one, or choose another address"; err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

// TestFileInThePlaceOfASocket has a file where a socket is to be, which is somebody's.
func TestFileInThePlaceOfASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "kept")
	if listener, err := openListener(unixPrefix+path, defaultSockets()); err == nil {
		listener.Close()
		t.Error("a socket is made in the place of a file")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "kept" {
		t.Errorf("the file has %q, %v", text, err)
	}
}

// TestSilentClients holds that those who connect and say nothing, or not all that
// there is to say, hold up neither the others nor the end of the service.
func TestSilentClients(t *testing.T) {
	authority := newAuthority(t)
	for name, files := range map[string]tlsConfig{"over TLS": authority.issue(t, t.TempDir(), 1), "without TLS": {}} {
		t.Run(name, func(t *testing.T) {
			cfg := defaultConfig()
			cfg.TLS = files
			s, end, ended := startEnding(t, cfg, bundleAt("default", constantBundle(t)))
			for range 100 {
				for _, listener := range []net.Listener{s.grpcListener, s.httpListener} {
					speak(t, listener.Addr().String(), "")
				}
			}
			begun := []net.Conn{speak(t, s.grpcListener.Addr().String(), "\x16\x03\x01"), speak(t, s.httpListener.Addr().String(), "\x16\x03\x01")}

			client, base, ca := http.DefaultClient, "http://", ""
			if cfg.TLS.on() {
				client, base, ca = authority.httpClient(t, false), "https://", authority.file
			}
			if _, text, _ := askOver(t, client, base+s.httpListener.Addr().String()); !strings.Contains(text, `"decision":true`) {
				t.Errorf("over HTTP: %s", text)
			}
			var out bytes.Buffer
			args := []string{"check", "--server", s.grpcListener.Addr().String(), "--ca", ca, "--timeout", "5s", "user:mina", "read", "document:plan"}
			if code := run(t.Context(), args, streams{out: &out, err: &out}); code != exitOK {
				t.Errorf("over gRPC: exit code %d: %s", code, &out)
			}

			if !cfg.TLS.on() { // where a request may have begun
				for _, conn := range begun {
					conn.Close()
				}
			}
			client.CloseIdleConnections()
			start := time.Now()
			end()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("the service took %s to end", took)
			}
		})
	}
}
