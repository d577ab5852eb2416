package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// TestAddressesThatAreOne are refused, however they are written.
func TestAddressesThatAreOne(t *testing.T) {
	for _, tt := range []struct {
		grpc, http string
		are        bool
	}{
		{"127.0.0.1:1", "127.0.0.1:1", true},
		{"127.0.0.1:1", "localhost:1", true},
		{"unix://a.sock", "unix://./a.sock", true},
		{"unix:///run/a.sock", "unix:///run/b/../a.sock", true},
		{"127.0.0.1:0", "localhost:0", false},
		{"127.0.0.1:1", "localhost:2", false},
		{"unix://a.sock", "unix:///a.sock", false},
	} {
		cfg := defaultConfig()
		cfg.GRPC.Address, cfg.HTTP.Address = tt.grpc, tt.http
		err := cfg.validate()
		if are := err != nil && strings.Contains(err.Error(), "http.address: "+tt.http+" is grpc.address as well"); are != tt.are {
			t.Errorf("%s and %s: %v", tt.grpc, tt.http, err)
		}
	}
}

// TestNoSocket says why there can be none at a path, and leaves what is there.
func TestNoSocket(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	write(t, file, "kept")
	longest := len(syscall.RawSockaddrUnix{}.Path) - 1
	for path, want := range map[string]string{
		file:                               file + " is there, and is no socket: remove it, or name another path",
		dir:                                dir + " is there, and is no socket",
		filepath.Join(dir, "n", "s"):       "there is no directory " + filepath.Join(dir, "n") + ": make it, or name another",
		"/" + strings.Repeat("d", longest): fmt.Sprintf("is too long for a socket: the system takes paths of up to %d bytes", longest),
	} {
		listener, err := openListener(unixPrefix+path, defaultSockets())
		if err == nil {
			listener.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want %s", path, err, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "kept" {
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
