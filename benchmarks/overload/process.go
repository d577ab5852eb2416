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
}

// onHalf is a command on one half of the processors, where the system can pin
// processes to some: the server has the lower half, and what asks it the upper one,
// so that neither takes time from the other.
func onHalf(upper bool, command ...string) *exec.Cmd {
	half := runtime.NumCPU() / 2
	if path, err := exec.LookPath("taskset"); err == nil && half > 0 {
		processors := fmt.Sprintf("0-%d", half-1)
		if upper {
			processors = fmt.Sprintf("%d-%d", half, runtime.NumCPU()-1)
		}
		command = append([]string{path, "-c", processors}, command...)
	}
	return exec.Command(command[0], command[1:]...)
}

// start prepares a directory and starts a binary on it.
func start(ctx context.Context, binary, dir string, crowd int) (*server, error) {
	if err := prepare(ctx, binary, dir, crowd); err != nil {
		return nil, err
	}
	command := onHalf(false, binary, "serve", "--config", filepath.Join(dir, "verdict.yaml"),
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
			go io.Copy(io.Discard, stderr)
			return s, nil
		}
		s.log = append(s.log, lines.Text())
	}
	return nil, errors.Join(fmt.Errorf("the server did not start:\n%s", strings.Join(s.log, "\n")), s.stop())
}

func (s *server) stop() error {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	return s.command.Wait()
}

// reload changes the bundle of the tenants, to something that decides the same.
func (s *server) reload(n int) error {
	for _, tenant := range []string{customer, workforce} {
		path := filepath.Join(s.dir, tenant, "again.rego")
		text := fmt.Sprintf("package again\n\nnumber := %d\n", n)
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
	return os.WriteFile(filepath.Join(dir, "verdict.yaml"), config.Bytes(), 0o600)
}

// cpuTime is what the process has taken, zero where the system does not tell.
func (s *server) cpuTime() time.Duration {
	took, err := processtime.Of(s.command.Process.Pid)
	if err != nil {
		return 0
	}
	return took
}
