package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestLostOutputIsAnError holds that nothing ends well whose result nobody can
// read.
func TestLostOutputIsAnError(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "authz.rego"), "package authz\n\nallow := true\n")
	write(t, filepath.Join(dir, "authz_test.rego"), "package authz_test\n\nimport data.authz\n\ntest_allow if authz.allow\n")
	for _, args := range [][]string{
		{"version"},
		{"version", "--output", "json"},
		{"test", dir},
		{"check", "user:mina", "read", "document:plan", "--bundle", dir},
		{"export", "--directory", filepath.Join("..", "..", "bundles", "hybrid", "directory.jsonl"), "--tenant", "hybrid"},
	} {
		var told strings.Builder
		code := run(t.Context(), args, streams{in: strings.NewReader(""), out: fullDisk{}, err: &told})
		if code != exitError || !strings.Contains(told.String(), "no space left") {
			t.Errorf("verdict %s ended with %d and %q", strings.Join(args, " "), code, &told)
		}
	}
}

// A fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestErrorTextOfAnInterruption(t *testing.T) {
	const advice = "run it again"
	for _, tt := range []struct {
		err  error
		want string
	}{
		{context.Canceled, "interrupted"},
		{status.FromContextError(context.Canceled).Err(), "interrupted"},
		{status.Error(codes.Canceled, "the caller is gone"), "interrupted"},
		{fmt.Errorf("%s: %w", advice, context.Canceled), "run it again: interrupted"},
		{fmt.Errorf("%s: %w", advice, status.FromContextError(context.Canceled).Err()), "run it again: interrupted"},
		{fmt.Errorf("%s: %w", advice, status.Error(codes.Canceled, "the caller is gone")), "run it again: interrupted"},
	} {
		if got := errorText(tt.err); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}

func TestConnectionHint(t *testing.T) {
	const speaksTLS, closes = "Does the server speak TLS?", "The server closed the connection"
	for message, want := range map[string]string{
		"connection error: dial unix /run/verdict/grpc.sock: connect: permission denied":            "not open to this user",
		"connection error: dial unix /run/verdict/grpc.sock: connect: no such file or directory":    "Is a server running there?",
		"connection error: dial tcp 127.0.0.1:8181: connect: connection refused":                    "Is a server running there?",
		"connection error: authentication handshake failed: x509: certificate signed by unknown":    "not one that --ca knows",
		"connection error: x509: certificate has expired or is not yet valid: current time":         "does not hold now",
		"connection error: x509: certificate is valid for localhost, not verdict.example":           "is not for the host in --server",
		"connection error: x509: certificate is not valid for any names, but wanted localhost":      "is not for the host in --server",
		"connection error: x509: cannot validate certificate for ::1 because it has no IP SANs":     "is not for the host in --server",
		"connection error: x509: certificate relies on legacy Common Name field, use SANs instead":  "is not for the host in --server",
		"connection error: tls: first record does not look like a TLS handshake":                    "does not speak TLS",
		"connection error: http2: failed reading the frame payload: looked like an HTTP/1.1 header": "That is an HTTP address",

		"connection error: error reading server preface: EOF":                                                                    speaksTLS,
		"connection error: error reading server preface: unexpected EOF":                                                         speaksTLS,
		"connection error: error reading server preface: connection reset by peer":                                               speaksTLS,
		"connection error: error reading server preface: read unix @->/run/verdict/grpc.sock: read: connection reset by peer":    speaksTLS,
		"connection error: error reading server preface: http2: failed reading the frame payload: http2: frame too large":        speaksTLS,
		"connection error: transport: failed to write client preface: write tcp [::1]:5->[::1]:8181: write: broken pipe":         speaksTLS,
		"connection error: transport: failed to write initial settings frame: write tcp [::1]:5->[::1]:8181: write: broken pipe": speaksTLS,
		"write tcp 127.0.0.1:50000->127.0.0.1:8181: write: broken pipe":                                                          speaksTLS,

		"connection error: transport: authentication handshake failed: EOF":                                      closes,
		"connection error: transport: authentication handshake failed: read tcp: read: connection reset by peer": closes,
		"connection error: transport: authentication handshake failed: remote error: tls: unknown certificate":   "",
		"connection error: error reading server preface: remote error: tls: certificate required":                "",
		"the store cannot be written: write /var/lib/verdict/000001.vlog: no space left on device":               "",
		"the keys cannot be fetched: x509: certificate signed by unknown":                                        "",
	} {
		got := connectionHint(message)
		if !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("of %q is said %q, want %q", message, got, want)
		}
	}
}

// TestHintsOfAnswers holds that who is refused for want of a proof, or asks at the wrong
// address, is told which flag helps.
func TestHintsOfAnswers(t *testing.T) {
	const token, certificate, address, tenant = "--token-file", "--cert and --key", "That is an HTTP address", "--tenant"
	for _, tt := range []struct {
		err  error
		want []string
	}{
		{status.Error(codes.Unauthenticated, "it is not known who calls: send a bearer token"), []string{token}},
		{status.Error(codes.Unauthenticated, "it is not known who calls: connect over TLS with a client certificate"), []string{certificate}},
		{status.Error(codes.Unauthenticated, "it is not known who calls: send a bearer token or connect over TLS with a client certificate"), []string{token, certificate}},
		{status.Error(codes.Unauthenticated, "it is not known who calls: call at a Unix socket as one of the users that are known"), nil},
		{status.Error(codes.Unauthenticated, "it is not known who calls, and nobody may import here: show who you are"), []string{token, certificate}},
		{status.Error(codes.Unauthenticated, "the bearer token is not known here"), nil},
		{status.Error(codes.Unauthenticated, "unexpected HTTP status code received from server: 401 (Unauthorized)"), []string{address}},
		{status.Error(codes.Unimplemented, "unexpected HTTP status code received from server: 404 (Not Found)"), []string{address}},
		{status.Error(codes.Unimplemented, "unknown method GetStatus"), nil},
		{status.Error(codes.PermissionDenied, "service:portal may not see the status on this server: whoever runs the server gives roles"), []string{tenant}},
		{status.Error(codes.PermissionDenied, `service:portal may not see the status in tenant "shop": whoever runs the server gives roles`), nil},
	} {
		text := errorText(tt.err)
		for _, hint := range []string{token, certificate, address, tenant} {
			if strings.Contains(text, hint) != slices.Contains(tt.want, hint) {
				t.Errorf("of %v is said:\n%s\nwant %q", tt.err, text, tt.want)
			}
		}
	}
}

// TestServerThatClosesConnections has a server end connections before it has said
// anything, of which gRPC tells by what it was doing just then.
func TestServerThatClosesConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	for ca, want := range map[string]string{
		"":                   "Does the server speak TLS? Then give --ca",
		newAuthority(t).file: "The server closed the connection: it may have too many",
	} {
		for range 10 {
			var out strings.Builder
			args := []string{"check", "--server", listener.Addr().String(), "--ca", ca, "user:mina", "read", "document:plan"}
			if code := run(t.Context(), args, streams{out: &out, err: &out}); code != exitError || !strings.Contains(out.String(), want) {
				t.Errorf("with --ca %q: exit code %d:\n%s\nwant %d and %q", ca, code, &out, exitError, want)
			}
		}
	}
}
