package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/verdictpdp/verdict/bundles"
)

// A server is the binary at work.
type server struct {
	binary, dir string
	command     *exec.Cmd
	logged      chan struct{} // closed when the log has ended
	// grpc, http and admin are where it listens.
	grpc, http, admin string

	mu sync.Mutex
	// errors are the lines of the log of level error, the first of them.
	errors []string
}

// config keeps history for as short as can be, so that what the store keeps of it
// comes and goes within the soak. An evaluation may take long, since the machine is
// shared with those who ask.
const config = `
admin: {address: %q}
tenants:
  workforce: {bundle: %q, skip_tests: true}
  customer: {bundle: %q, skip_tests: true}
directory: {retention: 1m, cache: 16MiB}
limits: {evaluation: 5s}
`

// start fills a directory with the worlds, and serves them.
func start(ctx context.Context, dir, binary string, worlds []*world) (*server, error) {
	for _, w := range worlds {
		shipped, err := fs.Sub(bundles.FS, w.tenant)
		if err != nil {
			return nil, err
		}
		if err := os.CopyFS(filepath.Join(dir, w.tenant), shipped); err != nil {
			return nil, err
		}
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "verdict.yaml")
	text := fmt.Sprintf(config, admin, filepath.Join(dir, workforce), filepath.Join(dir, customer))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := fill(ctx, data, worlds); err != nil {
		return nil, err
	}
	s := &server{binary: binary, dir: dir, admin: admin, logged: make(chan struct{})}
	s.command = exec.Command(binary, "serve", "--config", file, "--data", data, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
	log, err := s.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	serving := make(chan struct{})
	go s.read(log, serving)
	select {
	case <-serving:
		return s, nil
	case <-s.logged:
		return nil, errors.Join(errors.New("the server did not start"), s.complaints(), s.stop())
	}
}

// freeAddress is one that nobody listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// read follows the log.
func (s *server) read(log io.Reader, serving chan<- struct{}) {
	defer close(s.logged)
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Level, Msg, GRPC, HTTP string }
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			line.Level = "error" // a panic, or what comes from below
		}
		if line.Msg == "serving" && serving != nil {
			s.grpc, s.http = line.GRPC, line.HTTP
			close(serving)
			serving = nil
		}
		if line.Level == "error" && !asked(line.Msg) {
			s.mu.Lock()
			if len(s.errors) < keptComplaints {
				s.errors = append(s.errors, lines.Text())
			}
			s.mu.Unlock()
		}
	}
}

// asked is whether a line of the log is about what the soak does on purpose.
func asked(message string) bool { return strings.Contains(message, "policy") }

func (s *server) complaints() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, line := range s.errors {
		errs = append(errs, errors.New("the server logged: "+line))
	}
	return errors.Join(errs...)
}

func (s *server) pid() int { return s.command.Process.Pid }

// stop ends the server, which has to end well.
func (s *server) stop() error {
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-s.logged
	if err := s.command.Wait(); err != nil {
		return fmt.Errorf("the server ended with %w", err)
	}
	return nil
}

// verdict runs the command line beside the server.
func (s *server) verdict(ctx context.Context, arguments ...string) error {
	output, err := exec.CommandContext(ctx, s.binary, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("verdict %s: %w\n%s", arguments[0], err, output)
	}
	return nil
}

var web = &http.Client{Timeout: 30 * time.Second}

// get reads what the server says at a URL.
func get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := web.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}
