package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// A server is a server under measurement, and the connections to it.
type server struct {
	command *exec.Cmd
	stdin   io.Closer
	conns   []*grpc.ClientConn
}

const (
	inFlight    = 64
	connections = 2
)

func begin(command *exec.Cmd) (*server, error) {
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	return &server{command: command, stdin: stdin}, nil
}

func (s *server) stop() error {
	for _, conn := range s.conns {
		conn.Close()
	}
	_ = s.stdin.Close()
	_ = s.command.Process.Signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := s.command.Wait(); err != nil && !errors.As(err, &exit) { // the echo ends by the signal
		return err
	}
	return nil
}

func (s *server) dial(address string) error {
	for range connections {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		s.conns = append(s.conns, conn)
	}
	return nil
}

// startVerdict imports the directory and starts the binary on what newWorld wrote.
func startVerdict(ctx context.Context, binary, dir string) (*server, error) {
	data := filepath.Join(dir, "data")
	if output, err := exec.CommandContext(ctx, binary, "import", "--data", data, filepath.Join(dir, "directory.jsonl")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("importing: %w\n%s", err, output)
	}
	command := exec.Command(binary, "serve", "--config", filepath.Join(dir, "verdict.yaml"), "--data", data, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
	stderr, err := command.StderrPipe()
	if err != nil {
		return nil, err
	}
	s, err := begin(command)
	if err != nil {
		return nil, err
	}
	log := bufio.NewScanner(stderr)
	var said []string
	for log.Scan() {
		var line struct{ Msg, GRPC string }
		if json.Unmarshal(log.Bytes(), &line) == nil && line.Msg == "serving" {
			go io.Copy(io.Discard, stderr)
			return s, s.dial(line.GRPC)
		}
		said = append(said, log.Text())
	}
	return nil, errors.Join(fmt.Errorf("verdict did not start:\n%s", strings.Join(said, "\n")), s.stop())
}

func startEcho(dir string) (*server, error) {
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
	s, err := begin(command)
	if err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the echo did not start: %w", err), s.stop())
	}
	return s, s.dial(strings.TrimSpace(address))
}

// An echo answers every check alike.
type echo struct {
	authv3.UnimplementedAuthorizationServer
	answer *authv3.CheckResponse
}

func (e echo) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return e.answer, nil
}

// serveEcho is the process of the echo: grpc-go as it comes. It prints its address,
// and ends with its standard input.
func serveEcho(_ context.Context, args []string) error {
	data, err := os.ReadFile(answerFile(args[1]))
	if err != nil {
		return err
	}
	e := echo{answer: &authv3.CheckResponse{}}
	if err := proto.Unmarshal(data, e.answer); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, e)
	fmt.Println(listener.Addr())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		s.Stop()
	}()
	return s.Serve(listener)
}

// A load is messages that are sent in turn, encoded beforehand.
type load struct {
	name     string
	messages [][]byte
}

// drive keeps inFlight checks under way for a turn, and returns how many were
// answered.
func (s *server) drive(ctx context.Context, l load, turn time.Duration) (int, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var answered atomic.Int64
	var callers sync.WaitGroup
	end := time.Now().Add(turn)
	for i := range inFlight {
		callers.Go(func() {
			for next := i; time.Now().Before(end); next += inFlight {
				var answer encoded
				if err := s.conns[i%connections].Invoke(ctx, authv3.Authorization_Check_FullMethodName, encoded(l.messages[next%len(l.messages)]), &answer, grpc.ForceCodecV2(asIs{})); err != nil {
					cancel(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	callers.Wait()
	return int(answered.Load()), context.Cause(ctx)
}

// An encoded is a message on the wire.
type encoded []byte

// asIs is a codec that leaves messages as they are on the wire, and forgets the
// answers.
type asIs struct{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.(encoded))}, nil
}

func (asIs) Unmarshal(mem.BufferSlice, any) error { return nil }
