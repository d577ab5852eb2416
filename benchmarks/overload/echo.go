package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// An echo answers every check at once with what the server has answered one of them:
// grpc-go as it comes, and no door.
type echo struct {
	verdictv1.UnimplementedAccessServiceServer
	answer *verdictv1.CheckAccessResponse
}

func (e echo) CheckAccess(context.Context, *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
	return e.answer, nil
}

// echoing is set for the process of the echo.
const echoing = "OVERLOAD_ECHO"

// serveEcho is that process. It reads its answer from standard input, prints where it
// serves, and goes on until it is stopped.
func serveEcho() error {
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	e := echo{answer: &verdictv1.CheckAccessResponse{}}
	if err := proto.Unmarshal(data, e.answer); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	s := grpc.NewServer()
	verdictv1.RegisterAccessServiceServer(s, e)
	return s.Serve(listener)
}

// startEcho starts the echo of a server's answer, on the server's processors.
func startEcho(ctx context.Context, s *server) (*server, error) {
	conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answer, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(ctx, check(customer, 0))
	if err != nil {
		return nil, err
	}
	data, err := proto.Marshal(answer)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := ofServer(self)
	command.Env = append(os.Environ(), echoing+"=yes")
	command.Stdin, command.Stderr = strings.NewReader(string(data)), os.Stderr
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	e := &server{command: command}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the echo did not start: %w", err), e.stop())
	}
	e.address = strings.TrimSpace(address)
	return e, nil
}

// echoed are the checks as the echo answers them.
func echoed(messages []message) []message {
	all := make([]message, len(messages))
	for i, m := range messages {
		m.allowed = true
		all[i] = m
	}
	return all
}
