package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAskingAServer holds what a command tells of a server that it asks.
func TestAskingAServer(t *testing.T) {
	broken := t.TempDir()
	write(t, filepath.Join(broken, "authz.rego"), "package authz\n\nallow :=\n")
	_, r := startService(t, defaultConfig(), bundleAt("default", constantBundle(t)), bundleAt("broken", tenantConfig{Bundle: broken}))
	_, port, err := net.SplitHostPort(r.server)
	if err != nil {
		t.Fatal(err)
	}
	check := []string{"check", "user:mina", "read", "document:plan", "--server"}
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"a tenant that is served beside one that is not", append(check, r.server), exitOK, "allow\n"},
		{"a tenant that is not served", append(check, r.server, "--tenant", "broken"), exitError, r.server + `: tenant "broken" has no active policy`},
		{"a port alone", append(check, ":"+port), exitOK, "allow\n"},
		{"no such tenant", append(check, r.server, "--tenant", "nowhere"), exitError, r.server + `: unknown tenant "nowhere"`},
		{"several servers", append(check, r.server+","+r.server), exitError, "is no address: expected host:port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, told strings.Builder
			code := run(t.Context(), tt.args, streams{out: &out, err: &told})
			if code != tt.code || !strings.Contains(out.String()+told.String(), tt.want) {
				t.Errorf("ended with %d, %q and %q", code, &out, &told)
			}
		})
	}
	t.Run("an interruption", func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, interrupt)
		var told strings.Builder
		code := run(ctx, append(check, r.server, "--at-least", "99"), streams{out: &told, err: &told})
		if code != exitError || told.String() != "verdict: interrupted\n" {
			t.Errorf("ended with %d and %q", code, &told)
		}
	})
}
