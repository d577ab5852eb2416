package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
	for message, want := range map[string]string{
		"dial unix /run/verdict/grpc.sock: connect: permission denied":            "not open to this user",
		"dial unix /run/verdict/grpc.sock: connect: no such file or directory":    "Is a server running there?",
		"dial tcp 127.0.0.1:8181: connect: connection refused":                    "Is a server running there?",
		"error reading server preface: EOF":                                       "Does the server speak TLS?",
		"authentication handshake failed: x509: certificate signed by unknown":    "not one that --ca knows",
		"tls: first record does not look like a TLS handshake":                    "does not speak TLS",
		"http2: failed reading the frame payload: looked like an HTTP/1.1 header": "That is an HTTP address",
	} {
		if got := connectionHint(message); !strings.Contains(got, want) {
			t.Errorf("of %q is said %q, want %q", message, got, want)
		}
	}
}
