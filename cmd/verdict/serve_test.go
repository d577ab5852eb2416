package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/activation"
)

// startService serves tenants on loopback, all of them active, until the test
// ends; gRPC elsewhere if the configuration says so.
func startService(t *testing.T, cfg config, tenants ...activation.Tenant) (*service, *remote) {
	t.Helper()
	s, _, ended := startEnding(t, cfg, tenants...)
	t.Cleanup(func() { // the test's context is done by now
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s, &remote{server: dialable(s.grpcListener.Addr())}
}

// startEnding is startService for a test that ends the service itself.
func startEnding(t *testing.T, cfg config, tenants ...activation.Tenant) (s *service, end context.CancelFunc, ended <-chan error) {
	t.Helper()
	return startByClock(t, time.Now, cfg, tenants...)
}

// startByClock is startEnding by another clock than the system's.
func startByClock(t *testing.T, clock func() time.Time, cfg config, tenants ...activation.Tenant) (s *service, end context.CancelFunc, ended <-chan error) {
	t.Helper()
	if cfg.GRPC.Address == defaultGRPC {
		cfg.GRPC.Address = "127.0.0.1:0"
	}
	cfg.HTTP.Address = "127.0.0.1:0"
	s, err := openService(pointOptions{config: cfg, tenants: tenants, clock: clock, logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- errors.Join(s.run(ctx), s.Close()) }()
	if err := s.activate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, end, result
}

// TestSecondSignalEndsAtOnce holds that nobody has to wait for the grace of a
// shutdown.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	server, r := startServer(t)
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// An import whose caller says nothing more holds up the shutdown.
	imported, err := verdictv1.NewDirectoryServiceClient(conn).Import(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := imported.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Options{Options: &verdictv1.ImportOptions{}}}); err != nil {
		t.Fatal(err)
	}
	// What is answered later on the connection shows that the import has arrived.
	if _, err := verdictv1.NewPolicyServiceClient(conn).GetStatus(ctx, &verdictv1.GetStatusRequest{}); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	ended := make(chan error, 1)
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- server.Wait() }()
	select {
	case err := <-ended:
		t.Fatalf("the first signal ended the server with an import under way: %v", err)
	case <-time.After(500 * time.Millisecond):
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := <-ended; !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("the server ended with %v, want the signal", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("the server took %s to end", took)
	}
}

// startServer starts the real server with a grace of a minute, and waits until
// it answers.
func startServer(t *testing.T) (*exec.Cmd, *remote) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "authz.rego"), "package authz\n\nallow if input.action.name == \"read\"\n")
	r := &remote{server: unixPrefix + filepath.Join(dir, "verdict.sock")}
	server := exec.Command("verdict", "serve", "--bundle", dir, "--data", filepath.Join(dir, "store"),
		"--grpc", r.server, "--http", unixPrefix+filepath.Join(dir, "http.sock"))
	server.Stderr = t.Output()
	server.Env = append(os.Environ(), "VERDICT_SHUTDOWN_GRACE=1m")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill() })
	awaitSocket(t, r.server)
	return server, r
}

// TestServeEndsOnSIGTERM holds that the service ends with exit code 0, soon,
// although a watcher is connected.
func TestServeEndsOnSIGTERM(t *testing.T) {
	server, r := startServer(t)
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := verdictv1.NewDirectoryServiceClient(conn)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := client.Write(ctx, &verdictv1.WriteRequest{Changes: []*verdictv1.Change{
		{Change: &verdictv1.Change_PutEntity{PutEntity: &verdictv1.Entity{Type: "user", Id: "mina"}}},
	}}); err != nil {
		t.Fatal(err)
	}
	watch, err := client.Watch(ctx, &verdictv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("the server took %s to end: a watcher held it up", took)
	}
	if _, err := watch.Recv(); err == nil || !strings.Contains(err.Error(), "Unavailable") {
		t.Errorf("the watcher was told %v, want Unavailable", err)
	}
}
