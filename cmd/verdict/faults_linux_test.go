package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// dyingWithTest has a server end with the test, however that ends.
func dyingWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// mounted runs a server in a name space of its own, in which its store's directory was
// prepared by a shell's command. It needs no privileges where users may have name
// spaces, and skips where they may not.
func mounted(t *testing.T, prepare string) []string {
	t.Helper()
	unshare := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	trial := exec.Command(unshare[0], append(unshare[1:], "mount", "-t", "tmpfs", "tmpfs", t.TempDir())...)
	if text, err := trial.CombinedOutput(); err != nil {
		t.Skipf("a file system cannot be mounted here: %v: %s", err, text)
	}
	return append(unshare, "sh", "-ec", prepare+"\nexec \"$@\"", "sh")
}

// TestFullDisk fills the file system of a server's store, and clears it.
func TestFullDisk(t *testing.T) {
	within := mounted(t, `mount -t tmpfs -o size=128m tmpfs "{store}"`)
	s := startFaulty(t, faultOptions{within: within})
	s.mustWrite("mina")
	s.expect("/metrics", 200, "verdict_store_writable 1")

	filler := filepath.Join("/proc", fmt.Sprint(s.process.Process.Pid), "root", s.store, "filler")
	fill(t, filler, 16<<20)
	if err := s.write("olga"); err == nil || !strings.Contains(err.Error(), "Unavailable") || !strings.Contains(err.Error(), "is nearly full") {
		t.Errorf("a write to a full disk: %v", err)
	}
	s.expectAllowed("mina", true)
	s.expectAllowed("olga", false)
	s.expect("/readyz", 200, "writes are refused")
	s.expect("/metrics", 200, "verdict_store_writable 0")
	s.expect("/metrics", 200, "verdict_ready 1")

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s.mustWrite("olga")
	s.expectAllowed("olga", true)
	s.expect("/metrics", 200, "verdict_store_writable 1")
	fill(t, filler, 0) // what is decided needs no room at all
	s.expectAllowed("mina", true)
	if err := s.write("paul"); err == nil {
		t.Error("a write to a disk without any room is acknowledged")
	}
}

// fill fills a file system with a file, but for some bytes.
func fill(t *testing.T, path string, leave int64) {
	t.Helper()
	var stat unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &stat); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.CopyN(file, zeros{}, int64(stat.Bavail)*stat.Bsize-leave)
	if err := errors.Join(err, file.Close()); err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestReadOnlyStore starts a server whose store cannot be written to.
func TestReadOnlyStore(t *testing.T) {
	within := mounted(t, `mount --bind "{store}" "{store}"; mount -o remount,bind,ro "{store}"`)
	first := startFaulty(t, faultOptions{})
	first.mustWrite("mina")
	first.end(syscall.SIGTERM)
	text := refusedToStart(t, faultOptions{within: within, dir: first.dir})
	if !strings.Contains(text, "read-only file system") || !strings.Contains(text, first.store+" cannot be written to") {
		t.Errorf("the server says %s", text)
	}
	again := startFaulty(t, faultOptions{dir: first.dir})
	again.expectAllowed("mina", true)
}

// TestOutOfFiles takes all files that a server may open, by connections.
func TestOutOfFiles(t *testing.T) {
	const files = 256
	s := startFaulty(t, faultOptions{within: []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, files), "sh"}})
	if !strings.Contains(s.log.String(), "limits.connections is lowered") {
		t.Error("the log does not say that the connections are lowered")
	}
	s.mustWrite("mina")
	var held []net.Conn
	defer func() {
		for _, conn := range held {
			conn.Close()
		}
	}()
	for range 2 * files {
		for _, way := range []string{"grpc", "http"} {
			conn, err := net.DialTimeout("unix", s.socket(way), time.Minute)
			if err != nil {
				continue // the queue of those that wait to be accepted is full
			}
			held = append(held, conn)
		}
	}
	s.await("connections to be refused", func() error {
		if !strings.Contains(s.log.String(), "a connection is closed: there are too many") {
			return errors.New("none is")
		}
		return nil
	})
	for i := range 20 {
		user := fmt.Sprint("user", i)
		s.mustWrite(user)
		s.expectAllowed(user, true)
	}
	// A changed bundle is read although all connections are taken.
	write(t, filepath.Join(s.dir, "policy", "authz.rego"), strings.Replace(faultyPolicy, `"read"`, `"write"`, 1))
	s.await("the changed bundle to be active", func() error {
		if decision, err := s.check("mina"); err != nil || decision.Allowed {
			return fmt.Errorf("still allowed: %v", err)
		}
		return nil
	})
	for _, conn := range held {
		conn.Close()
	}
	s.await("connections to be accepted again", func() error {
		_, err := s.get("/healthz", 200)
		return err
	})
}

// TestAllFilesTaken has a server run out of files altogether, which its own limits
// prevent: the limit is lowered while it runs.
func TestAllFilesTaken(t *testing.T) {
	t.Parallel() // it waits for long
	s := startFaulty(t, faultOptions{})
	s.mustWrite("mina")
	pid := s.process.Process.Pid
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Skipf("the limits of another process cannot be changed here: %v", err)
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 8, Max: before.Max}, nil); err != nil {
		t.Skipf("the limits of another process cannot be changed here: %v", err)
	}
	// On the connections that there are, decisions go on.
	s.expectAllowed("mina", true)
	if err := s.write("olga"); err == nil || !strings.Contains(err.Error(), "Unavailable") || !strings.Contains(err.Error(), "too many open") {
		t.Errorf("a write without files: %v", err)
	}
	s.expect("/readyz", 200, "writes are refused")
	// A bundle that changes meanwhile cannot be read.
	write(t, filepath.Join(s.dir, "policy", "authz.rego"), strings.Replace(faultyPolicy, `"read"`, `"write"`, 1))
	s.await("the changed bundle to be looked at", func() error {
		if !strings.Contains(s.log.String(), "too many open files") {
			return errors.New("it is not")
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	waiting, err := new(net.Dialer).DialContext(ctx, "unix", s.socket("http")) // which is not accepted yet
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	s.mustWrite("olga")
	s.await("the changed bundle to be active", func() error {
		if decision, err := s.check("mina"); err != nil || decision.Allowed {
			return fmt.Errorf("still allowed: %v", err)
		}
		return nil
	})
	s.http.CloseIdleConnections()
	s.await("connections to be accepted again", func() error {
		_, err := s.get("/readyz", 200)
		return err
	})
}

// TestStoppedServer has a server stand still for a while.
func TestStoppedServer(t *testing.T) {
	s := startFaulty(t, faultOptions{})
	s.mustWrite("mina")
	if err := s.process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.await("the server to stand still", func() error {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Process.Pid))
		if err == nil && !strings.Contains(string(stat), ") T ") {
			err = errors.New("it runs")
		}
		return err
	})
	written, decided := make(chan error, 1), make(chan error, 1)
	go func() { written <- s.write("olga") }()
	go func() {
		decision, err := s.check("mina")
		if err == nil && !decision.Allowed {
			err = errors.New("denied")
		}
		decided <- err
	}()
	time.Sleep(300 * time.Millisecond) // for what must not happen
	if len(written) > 0 || len(decided) > 0 {
		t.Error("a stopped server has answered")
	}
	if err := s.process.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-written, <-decided); err != nil {
		t.Errorf("after the stop: %v", err)
	}
	s.expectAllowed("olga", true)
}

// TestDamagedStore flips bits of a server's store, first while it runs and then while it
// does not.
func TestDamagedStore(t *testing.T) {
	s := startFaulty(t, faultOptions{})
	s.mustWrite("mina", "olga", "paul")
	s.end(syscall.SIGTERM)
	s = startFaulty(t, faultOptions{dir: s.dir}) // with the records in a table, and none in memory
	tables, err := filepath.Glob(filepath.Join(s.store, "*.sst"))
	if err != nil || len(tables) != 1 {
		t.Fatalf("tables %q, %v", tables, err)
	}
	text, err := os.ReadFile(tables[0])
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "mark-of-olga-")
	if at < 0 {
		t.Fatal("the table does not have the record")
	}
	s.expectAllowed("mina", true) // and kept in memory from then on
	table, err := os.OpenFile(tables[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = table.WriteAt([]byte{text[at] ^ 1}, int64(at))
	if err := errors.Join(err, table.Close()); err != nil {
		t.Fatal(err)
	}

	s.expectAllowed("mina", true)
	s.expect("/readyz", 200, "ready")
	for _, user := range []string{"olga", "paul"} { // both in the block
		if decision, err := s.check(user); err != nil || decision.Allowed || decision.Err == nil {
			t.Errorf("a decision on a record of a damaged block: %v, %v, %v: want a deny with an error", decision.Allowed, decision.Err, err)
		}
	}
	s.expectAllowed("mina", true)
	s.expect("/readyz", 503, "the directory is damaged")
	s.expect("/metrics", 200, "verdict_store_damaged 1")
	s.expect("/metrics", 200, "verdict_ready 0")
	if err := s.write("vera"); err == nil || !strings.Contains(err.Error(), "restore it from a backup") {
		t.Errorf("a write to a damaged store: %v", err)
	}
	s.end(syscall.SIGTERM)
	said := refusedToStart(t, faultOptions{dir: s.dir})
	if !strings.Contains(said, tables[0]) || !strings.Contains(said, "restore it from a backup") {
		t.Errorf("the server says %s", said)
	}
}
