package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/verdictpdp/verdict/bundles"
)

// patience is how long a server may take to be ready.
const patience = time.Minute

// A sidecar is a program with its settings and its store in a directory.
type sidecar struct {
	binary, dir string
	// tests is whether the bundle's tests run at the start.
	tests bool
}

func (s sidecar) path(name string) string { return filepath.Join(s.dir, name) }

// configure writes the settings, as the chart of the sidecar has them.
func (s sidecar) configure() error {
	settings := fmt.Sprintf(`
data: %q
grpc: {address: %q}
http: {address: %q}
directory: {cache: 16MiB}
tenants: {default: {bundle: %q, skip_tests: %t}}
`, s.path("data"), "unix://"+s.path("grpc.sock"), "unix://"+s.path("http.sock"), s.path("bundle"), !s.tests)
	return os.WriteFile(s.path("verdict.yaml"), []byte(settings), 0o600)
}

// prepare writes the bundle, and the store.
func (s sidecar) prepare(ctx context.Context) error {
	shipped, err := fs.Sub(bundles.FS, "customer")
	if err != nil {
		return err
	}
	if err := os.CopyFS(s.path("bundle"), shipped); err != nil {
		return err
	}
	var lines bytes.Buffer
	lines.WriteString(`{"entity":{"type":"plan","id":"plus","attributes":{"streaming":{"tier":2,"devices":2}}}}` + "\n")
	lines.WriteString(`{"entity":{"type":"api","id":"orders"}}` + "\n")
	for i := 2; i < entities; i++ {
		fmt.Fprintf(&lines, `{"entity":{"type":"user","id":"u%05d","attributes":{"name":"Customer %d","state":"active","timezone":"Europe/Lisbon","subscription":{"plan":"plan:plus","paid_until":"2095-01-01T00:00:00Z"}}}}`+"\n", i, i)
	}
	imported := exec.CommandContext(ctx, s.binary, "import", "--data", s.path("data"), "-")
	imported.Stdin = &lines
	if out, err := imported.CombinedOutput(); err != nil {
		return fmt.Errorf("import: %w\n%s", err, out)
	}
	return nil
}

// start starts the server, has something done with it once it is ready, and stops it.
// It returns how long it took to be ready, and of that the time of processors.
func (s sidecar) start(ctx context.Context, use func(pid int) error) (ready, busy time.Duration, err error) {
	cmd := exec.CommandContext(ctx, s.binary, "serve", "--config", s.path("verdict.yaml"))
	var log bytes.Buffer
	cmd.Stderr = &log
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if failed := errors.Join(err, cmd.Wait()); failed != nil {
			err = fmt.Errorf("%w\n%s", failed, &log)
		}
	}()
	client := s.client()
	for {
		answer, err := client.Get("http://localhost/readyz")
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				ready = time.Since(begun)
				if busy, err = busyOf(cmd.Process.Pid); err != nil {
					return 0, 0, err
				}
				return ready, busy, use(cmd.Process.Pid)
			}
		}
		if time.Since(begun) > patience || ctx.Err() != nil {
			return 0, 0, fmt.Errorf("it is not ready after %s: %w", patience, errors.Join(err, ctx.Err()))
		}
		time.Sleep(time.Millisecond)
	}
}

// askAll asks about each entity once, some at a time, and expects an answer.
func (s sidecar) askAll(ctx context.Context) error {
	client := s.client()
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range 8 {
		group.Go(func() error {
			for i := next.Add(1); i <= entities && ctx.Err() == nil; i = next.Add(1) {
				who := fmt.Sprintf(`{"type":"user","id":"u%05d"}`, i)
				answer, err := client.Post("http://localhost/access/v1/evaluation", "application/json",
					strings.NewReader(`{"subject":`+who+`,"action":{"name":"read"},"resource":`+who+`}`))
				if err != nil {
					return err
				}
				answer.Body.Close()
				if answer.StatusCode != http.StatusOK {
					return fmt.Errorf("a question is answered with %s", answer.Status)
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// client asks over the HTTP socket.
func (s sidecar) client() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		MaxIdleConnsPerHost: 8,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.path("http.sock"))
		},
	}}
}
