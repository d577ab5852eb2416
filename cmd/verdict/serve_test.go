package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// TestServeEndsOnSIGTERM holds that the service ends with exit code 0, soon,
// although a watcher is connected.
func TestServeEndsOnSIGTERM(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "authz.rego"), "package authz\n\nallow if input.action.name == \"read\"\n")
	r := remote{server: unixPrefix + filepath.Join(dir, "verdict.sock")}
	var log bytes.Buffer
	server := exec.Command("verdict", "serve", "--bundle", dir, "--data", filepath.Join(dir, "store"),
		"--grpc", r.server, "--http", unixPrefix+filepath.Join(dir, "http.sock"))
	server.Stderr = &log
	server.Env = append(os.Environ(), "VERDICT_SHUTDOWN_GRACE=1m")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	awaitSocket(t, r.server)
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
		t.Errorf("the server ended with %v\n%s", err, &log)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("the server took %s to end: a watcher held it up", took)
	}
	if _, err := watch.Recv(); err == nil || !strings.Contains(err.Error(), "Unavailable") {
		t.Errorf("the watcher was told %v, want Unavailable", err)
	}
}
