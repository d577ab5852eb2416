package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestServiceManagerIsTold holds that who starts the server as systemd does, with a unit
// of the type notify, is told when it answers and when it is about to end, and not before.
func TestServiceManagerIsTold(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "authz.rego"), "package authz\n\nallow if input.action.name == \"read\"\n")
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify.sock"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	start := func(bundle string) *exec.Cmd {
		server := exec.Command("verdict", "serve", "--bundle", bundle, "--data", filepath.Join(dir, "store"),
			"--grpc", unixPrefix+filepath.Join(dir, "verdict.sock"), "--http", unixPrefix+filepath.Join(dir, "http.sock"))
		server.Stderr = t.Output()
		server.Env = append(os.Environ(), "NOTIFY_SOCKET="+told.LocalAddr().String())
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Process.Kill() })
		return server
	}
	expect := func(want string) {
		t.Helper()
		if err := told.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			t.Fatal(err)
		}
		message := make([]byte, 100)
		n, err := told.Read(message)
		if got := string(message[:n]); err != nil || got != want {
			t.Fatalf("told %q, %v; want %q", got, err, want)
		}
	}

	if err := start(filepath.Join(dir, "nowhere")).Wait(); err == nil {
		t.Error("a server without a policy ends without an error")
	}
	server := start(dir)
	expect(managerReady) // and nothing of the server before
	awaitSocket(t, unixPrefix+filepath.Join(dir, "verdict.sock"))
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	expect(managerStopping)
	if err := server.Wait(); err != nil {
		t.Error(err)
	}
}
