package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// The faults of docs/faults.md, each brought about for real to the real server.

// A faultyServer is a server to which something happens.
type faultyServer struct {
	t       *testing.T
	process *exec.Cmd
	dir     string
	store   string
	log     *syncedBuffer
	checks  *client.Client
	changes verdictv1.DirectoryServiceClient
	http    *http.Client
}

// A faultOptions says what a server is started with.
type faultOptions struct {
	// within runs the server: a program, to whose arguments the server's command is
	// added. The store's directory is {store} in them.
	within []string
	// environment is added to the test's.
	environment []string
	// dir is that of another server, whose store is taken over; empty makes one.
	dir string
}

// syncedBuffer is what a server logs, which is read while it runs.
type syncedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *syncedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// faultyPolicy allows those who are known and not suspended to read.
const faultyPolicy = `package authz

allow if {
	input.action.name == "read"
	user := data.directory.user[input.subject.id]
	not user.attributes.suspended
}
`

// command is the server that is to be started.
func (o faultOptions) command(t *testing.T) *faultyServer {
	t.Helper()
	s := &faultyServer{t: t, dir: o.dir, log: &syncedBuffer{}}
	if s.dir == "" {
		s.dir = t.TempDir()
		if err := os.MkdirAll(filepath.Join(s.dir, "policy"), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(s.dir, "policy", "authz.rego"), faultyPolicy)
	}
	s.store = filepath.Join(s.dir, "store")
	if err := os.MkdirAll(s.store, 0o700); err != nil {
		t.Fatal(err)
	}
	var command []string
	for _, argument := range o.within {
		command = append(command, strings.ReplaceAll(argument, "{store}", s.store))
	}
	command = append(command, "verdict", "serve", "--bundle", filepath.Join(s.dir, "policy"), "--data", s.store,
		"--grpc", unixPrefix+s.socket("grpc"), "--http", unixPrefix+s.socket("http"))
	s.process = exec.Command(command[0], command[1:]...)
	s.process.Env = append(os.Environ(), "VERDICT_LIMITS_EVALUATION=10s", "VERDICT_LIMITS_BATCH=1m") // the machine may be busy
	s.process.Env = append(s.process.Env, o.environment...)
	s.process.Stderr = s.log
	s.process.SysProcAttr = dyingWithTest()
	return s
}

func (s *faultyServer) socket(name string) string { return filepath.Join(s.dir, name+".sock") }

// startFaulty starts a server and waits until it is ready.
func startFaulty(t *testing.T, o faultOptions) *faultyServer {
	t.Helper()
	s := o.command(t)
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = s.process.Wait() // it is killed at the end, if not before
		close(ended)
	}()
	t.Cleanup(func() {
		_ = s.process.Process.Kill()
		<-ended
		if t.Failed() {
			text := s.log.String()
			t.Logf("the server's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	s.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.socket("http"))
	}}}
	t.Cleanup(s.http.CloseIdleConnections)
	var err error
	if s.checks, err = client.New(unixPrefix + s.socket("grpc")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.checks.Close() })
	s.changes = verdictv1.NewDirectoryServiceClient(s.checks.Conn())
	s.await("the server to be ready", func() error {
		select {
		case <-ended:
			t.Fatalf("the server has ended:\n%s", s.log)
		default:
		}
		_, err := s.get("/readyz", http.StatusOK)
		return err
	})
	return s
}

// refusedToStart runs a server that is to end at once, and returns why.
func refusedToStart(t *testing.T, o faultOptions) string {
	t.Helper()
	s := o.command(t)
	end := time.AfterFunc(time.Minute, func() { _ = s.process.Process.Kill() })
	defer end.Stop()
	err := s.process.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitError {
		t.Fatalf("the server ended with %v, want exit code %d:\n%s", err, exitError, s.log)
	}
	return s.log.String()
}

// await waits until there is no error any more.
func (s *faultyServer) await(what string, try func() error) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("waiting for %s: %v\n%s", what, err, s.log)
		}
	}
}

func (s *faultyServer) get(path string, want int) (string, error) {
	response, err := s.http.Get("http://verdict" + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != want {
		err = fmt.Errorf("%s is %d, want %d: %s", path, response.StatusCode, want, body)
	}
	return string(body), err
}

// expect holds that a page has a text.
func (s *faultyServer) expect(path string, status int, text string) {
	s.t.Helper()
	if body, err := s.get(path, status); err != nil || !strings.Contains(body, text) {
		s.t.Errorf("%s: %v: want %q in it:\n%s", path, err, text, excerpt(body))
	}
}

// excerpt leaves out the metrics that are not of the store.
func excerpt(body string) string {
	if !strings.Contains(body, "# HELP") {
		return body
	}
	var lines []string
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "verdict_store") || strings.HasPrefix(line, "verdict_ready") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func (s *faultyServer) write(users ...string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var changes []*verdictv1.Change
	for _, user := range users {
		changes = append(changes, &verdictv1.Change{Change: &verdictv1.Change_PutEntity{PutEntity: &verdictv1.Entity{
			Type: "user", Id: user, AttributesJson: fmt.Sprintf(`{"mark":"mark-of-%s-"}`, user),
		}}})
	}
	_, err := s.changes.Write(ctx, &verdictv1.WriteRequest{Changes: changes})
	return err
}

func (s *faultyServer) mustWrite(users ...string) {
	s.t.Helper()
	if err := s.write(users...); err != nil {
		s.t.Fatal(err)
	}
}

// check decides whether a user may read.
func (s *faultyServer) check(user string) (authz.Decision, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	return s.checks.Check(ctx, authz.Request{
		Subject: authz.Subject{Type: "user", ID: user}, Action: authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "document", ID: "plan"},
	})
}

func (s *faultyServer) expectAllowed(user string, want bool) {
	s.t.Helper()
	decision, err := s.check(user)
	if err != nil || decision.Err != nil || decision.Allowed != want {
		s.t.Errorf("may %s read: %v, %v, %v, want %v", user, decision.Allowed, decision.Err, err, want)
	}
}

// end ends the server by a signal.
func (s *faultyServer) end(signal syscall.Signal) {
	s.t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	s.await("the server to end", func() error {
		if s.process.Process.Signal(syscall.Signal(0)) == nil {
			return errors.New("it runs")
		}
		return nil
	})
}
