package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/verdictpdp/verdict/benchmarks/processtime"
	"github.com/verdictpdp/verdict/bundles"
)

// A server is the process under load.
type server struct {
	dir     string
	command *exec.Cmd
	address string
	// log is what it said before it served.
	log []string
	// activated counts the bundles that became active since, and refused is why one did
	// not.
	activated atomic.Int64
	refused   atomic.Pointer[string]
}

// halves are the processors of this machine in two, as taskset names them; empty where
// the system cannot pin processes to some.
func halves() (lower, upper string) {
	half := runtime.NumCPU() / 2
	if _, err := exec.LookPath("taskset"); err != nil || half == 0 {
		return "", ""
	}
	return fmt.Sprintf("0-%d", half-1), fmt.Sprintf("%d-%d", half, runtime.NumCPU()-1)
}

// pinnedTo is a command on some processors, or on any if they are not named.
func pinnedTo(processors string, command ...string) *exec.Cmd {
	if processors != "" {
		command = append([]string{"taskset", "-c", processors}, command...)
	}
	return exec.Command(command[0], command[1:]...)
}

// forServer has, in the environment of what asks the server, which processors the
// server has: itself it has the others, and sees no more.
const forServer = "OVERLOAD_SERVER_PROCESSORS"

// ofServer is a command on the processors of the server, so that neither it nor what
// asks it takes time from the other.
func ofServer(command ...string) *exec.Cmd { return pinnedTo(os.Getenv(forServer), command...) }

// configName is that of the server's configuration, which is written last.
const configName = "verdict.yaml"

// start prepares a directory, unless it is, and starts a binary on it.
func start(ctx context.Context, binary, dir string, crowd int) (*server, error) {
	if _, err := os.Stat(filepath.Join(dir, configName)); errors.Is(err, fs.ErrNotExist) {
		if err := prepare(ctx, binary, dir, crowd); err != nil {
			return nil, err
		}
	}
	command := ofServer(binary, "serve", "--config", filepath.Join(dir, configName),
		"--data", filepath.Join(dir, "data"), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	s := &server{dir: dir, command: command}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var line struct{ Msg, GRPC string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			s.address = line.GRPC
			go func() {
				s.listen(lines)
				_, _ = io.Copy(io.Discard, stderr) // what it says must go somewhere
			}()
			return s, nil
		}
		s.log = append(s.log, lines.Text())
	}
	return nil, errors.Join(fmt.Errorf("the server did not start:\n%s", strings.Join(s.log, "\n")), s.stop())
}

// listen follows what a server says of its bundles. To ask it would be load as well.
func (s *server) listen(lines *bufio.Scanner) {
	for lines.Scan() {
		var line struct{ Msg, Error string }
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue
		}
		switch {
		case line.Msg == "policy activated":
			s.activated.Add(1)
		case strings.HasPrefix(line.Msg, "policy not activated"):
			s.refused.Store(&line.Error)
		}
	}
}

func (s *server) stop() error {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	return s.command.Wait()
}

// reload changes the bundle of the tenants, to something that decides the same, and
// waits until it is active.
func (s *server) reload(ctx context.Context) error {
	before := s.activated.Load()
	if err := s.replace(time.Now().UnixNano()); err != nil {
		return err
	}
	for s.activated.Load() < before+2 {
		if refused := s.refused.Load(); refused != nil {
			return fmt.Errorf("a bundle was refused: %s", *refused)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// replace puts another bundle in the place of each tenant's.
func (s *server) replace(n int64) error {
	for _, tenant := range []string{customer, workforce} {
		path := filepath.Join(s.dir, tenant, "again.rego")
		text := fmt.Sprintf("package authz.again\n\nnumber := %d\n", n)
		if err := os.WriteFile(path+".next", []byte(text), 0o600); err != nil {
			return err
		}
		if err := os.Rename(path+".next", path); err != nil {
			return err
		}
	}
	return nil
}

func prepare(ctx context.Context, binary, dir string, crowd int) error {
	load := func(tenant string, lines io.Reader) error {
		imported := exec.CommandContext(ctx, binary, "import", "--data", filepath.Join(dir, "data"), "--tenant", tenant, "-")
		imported.Stdin = lines
		if output, err := imported.CombinedOutput(); err != nil {
			return fmt.Errorf("import: %w\n%s", err, output)
		}
		return nil
	}
	if crowd > 0 { // first, for what is not there yet is loaded several times faster
		lines, written := io.Pipe()
		go func() { written.CloseWithError(writeCrowd(written, crowd)) }()
		if err := load("crowd", lines); err != nil {
			return err
		}
	}
	var config, lines bytes.Buffer
	config.WriteString("tenants:\n")
	writeDirectory(&lines)
	for _, tenant := range []string{customer, workforce} {
		shipped, err := fs.Sub(bundles.FS, "customer")
		if err != nil {
			return err
		}
		if err := os.CopyFS(filepath.Join(dir, tenant), shipped); err != nil {
			return err
		}
		fmt.Fprintf(&config, "  %s: {bundle: %q, skip_tests: true}\n", tenant, filepath.Join(dir, tenant))
		if err := load(tenant, bytes.NewReader(lines.Bytes())); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, configName), config.Bytes(), 0o600)
}

// cpuTime is what the process has taken, zero where the system does not tell.
func (s *server) cpuTime() time.Duration {
	took, err := processtime.Of(s.command.Process.Pid)
	if err != nil {
		return 0
	}
	return took
}
