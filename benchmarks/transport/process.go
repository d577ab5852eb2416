package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/verdictpdp/verdict/bundles"
)

// A process is a server under measurement.
type process struct {
	command *exec.Cmd
	stdin   io.Closer
	// address is where it listens, as gRPC dials it, and http where it answers HTTP;
	// secured is where the echo listens over TLS.
	address, http, secured string
	// admin is the socket of a server at which it tells of itself.
	admin string
}

// stop ends the process.
func (p *process) stop() error {
	_ = p.stdin.Close()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := p.command.Wait(); err != nil && !errors.As(err, &exit) { // the echo ends by the signal
		return err
	}
	return nil
}

// startEcho starts this program as the echo, with the answers in a directory.
func startEcho(dir string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(self, echoVerb, dir)
	command.Stderr = os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p, err := begin(command)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fscan(stdout, &p.address, &p.http, &p.secured); err != nil {
		return nil, errors.Join(fmt.Errorf("the echo did not start: %w", err), p.stop())
	}
	return p, nil
}

// startVerdict starts a verdict binary on the tenants in a directory.
func startVerdict(b build, dir, address string) (*process, error) {
	command := exec.Command(b.path, "serve", "--config", filepath.Join(dir, "verdict.yaml"),
		"--data", filepath.Join(dir, "data"), "--grpc", address, "--http", "127.0.0.1:0")
	admin := filepath.Join(dir, "admin.sock")
	command.Env = append(os.Environ(), "VERDICT_ADMIN_ADDRESS=unix://"+admin)
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	p, err := begin(command)
	if err != nil {
		return nil, err
	}
	p.admin = admin
	log := bufio.NewScanner(stderr)
	var said []string
	for log.Scan() {
		var line struct{ Msg, GRPC, HTTP string }
		if json.Unmarshal(log.Bytes(), &line) == nil && line.Msg == "serving" {
			p.address, p.http = line.GRPC, line.HTTP
			go io.Copy(io.Discard, stderr)
			return p, nil
		}
		said = append(said, log.Text())
	}
	return nil, errors.Join(fmt.Errorf("%s did not start:\n%s", b.name, strings.Join(said, "\n")), p.stop())
}

func begin(command *exec.Cmd) (*process, error) {
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	return &process{command: command, stdin: stdin}, nil
}

// prepare fills a directory with what a server is started on: a configuration,
// the bundles, and a store that the binary has imported the directories into.
func prepare(ctx context.Context, b build, dir string, key *ecdsa.PrivateKey) error {
	shipped, err := fs.Sub(bundles.FS, customer)
	if err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(dir, customer), shipped); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, constant), 0o700); err != nil {
		return err
	}
	var config strings.Builder
	config.WriteString("tenants:\n")
	for _, tenant := range []string{customer, constant, proxied} {
		fmt.Fprintf(&config, "  %s: {bundle: %q, skip_tests: true}\n", tenant, filepath.Join(dir, tenant))
	}
	fmt.Fprintf(&config, "ext_authz: {enabled: true, tenant: %s}\n", proxied)
	// A machine that is busy with the other processes is no reason to deny.
	config.WriteString("limits: {evaluation: 10s, batch: 60s}\n")
	if err := errors.Join(
		os.WriteFile(filepath.Join(dir, constant, "authz.rego"), []byte(constantPolicy), 0o600),
		prepareProxied(filepath.Join(dir, proxied), key),
		os.WriteFile(filepath.Join(dir, "verdict.yaml"), []byte(config.String()), 0o600),
	); err != nil {
		return err
	}
	for tenant, write := range map[string]func(io.Writer){customer: writeDirectory, proxied: writeProxiedDirectory} {
		if err := importDirectory(ctx, b, dir, tenant, write); err != nil {
			return err
		}
	}
	return nil
}

// importDirectory has a binary put what a function writes into its store.
func importDirectory(ctx context.Context, b build, dir, tenant string, write func(io.Writer)) error {
	var lines bytes.Buffer
	write(&lines)
	imported := exec.CommandContext(ctx, b.path, "import", "--data", filepath.Join(dir, "data"), "--tenant", tenant, "-")
	imported.Stdin = &lines
	if output, err := imported.CombinedOutput(); err != nil {
		return fmt.Errorf("%s import: %w\n%s", b.name, err, output)
	}
	return nil
}
