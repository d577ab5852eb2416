package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestAdminAddresses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		admin   adminConfig
		refused bool
	}{
		{"none", adminConfig{}, false},
		{"IPv4 loopback", adminConfig{Address: "127.0.0.1:9000"}, false},
		{"IPv6 loopback", adminConfig{Address: "[::1]:9000"}, false},
		{"localhost", adminConfig{Address: "localhost:9000"}, false},
		{"a socket", adminConfig{Address: "unix:///run/admin.sock"}, false},
		{"all addresses", adminConfig{Address: ":9000"}, true},
		{"all IPv4 addresses", adminConfig{Address: "0.0.0.0:9000"}, true},
		{"one of a network", adminConfig{Address: "10.0.0.7:9000"}, true},
		{"a name that may be anybody's", adminConfig{Address: "admin.example:9000"}, true},
		{"one of a network, in so many words", adminConfig{Address: "10.0.0.7:9000", BeyondLoopback: true}, false},
		{"no address", adminConfig{Address: "here", BeyondLoopback: true}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := defaultConfig()
			cfg.Admin = tt.admin
			err := cfg.validate()
			if refused := err != nil; refused != tt.refused {
				t.Fatalf("got %v", err)
			}
			if err != nil && authz.ViolationsOf(err)[0].Field != "admin.address" {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestProfilesAreHadAtTheAdminAddressAlone asks the real server.
func TestProfilesAreHadAtTheAdminAddressAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	cfg := defaultConfig()
	cfg.Admin.Address, cfg.Sockets.Mode = unixPrefix+path, 0o666 // which is for the others
	s, _ := startService(t, cfg, shippedBundle("workforce"))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has %v, %v", info.Mode(), err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}
	defer transport.CloseIdleConnections()
	for place, says := range map[string]string{
		"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile", "/metrics": "verdict_ready 1", "/debug/pprof/cmdline": "test",
	} {
		response, err := (&http.Client{Transport: transport}).Get("http://admin" + place)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), says) {
			t.Errorf("%s: %s, %v, %.200s", place, response.Status, err, text)
		}
		if place == "/metrics" {
			continue
		}
		if code := post(t, s, http.MethodGet, place, ""); code != http.StatusNotFound {
			t.Errorf("%s is to be had at the HTTP address: %d", place, code)
		}
	}
}

// TestTheAdminAddressIsNotForBrowsers asks as a site could have a browser ask.
func TestTheAdminAddressIsNotForBrowsers(t *testing.T) {
	cfg := defaultConfig()
	cfg.Admin.Address = "127.0.0.1:0"
	s, _ := startService(t, cfg, shippedBundle("workforce"))
	for host, want := range map[string]int{"127.0.0.1:9": 200, "localhost": 200, "[::1]:9": 200, "site.example:9": 421, "10.0.0.7": 421} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.admin.listener.Addr().String()+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("asked for %s: %s, want %d", host, response.Status, want)
		}
	}
}
