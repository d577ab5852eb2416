package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// An answer is what the echo answers a tenant: a decision of the real server
// about one of the requests, and one about a batch of them.
type answer struct {
	check *verdictv1.CheckAccessResponse
	batch *verdictv1.BatchCheckAccessResponse
}

// save writes the answer to where the echo looks for it.
func (a answer) save(dir, tenant string) error {
	check, err := proto.Marshal(a.check)
	if err != nil {
		return err
	}
	batch, err := proto.Marshal(a.batch)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, tenant+".check"), check, 0o600),
		os.WriteFile(filepath.Join(dir, tenant+".batch"), batch, 0o600),
	)
}

func loadAnswer(dir, tenant string) (answer, error) {
	check, checkErr := os.ReadFile(filepath.Join(dir, tenant+".check"))
	batch, batchErr := os.ReadFile(filepath.Join(dir, tenant+".batch"))
	if err := errors.Join(checkErr, batchErr); err != nil {
		return answer{}, err
	}
	a := answer{&verdictv1.CheckAccessResponse{}, &verdictv1.BatchCheckAccessResponse{}}
	return a, errors.Join(proto.Unmarshal(check, a.check), proto.Unmarshal(batch, a.batch))
}

// An echo answers every request of a tenant alike, and at once.
type echo struct {
	verdictv1.UnimplementedAccessServiceServer
	answers map[string]answer
}

func (e echo) CheckAccess(_ context.Context, request *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
	return e.answers[request.GetTenant()].check, nil
}

func (e echo) BatchCheckAccess(_ context.Context, request *verdictv1.BatchCheckAccessRequest) (*verdictv1.BatchCheckAccessResponse, error) {
	return e.answers[request.GetTenant()].batch, nil
}

// serveEcho is the process of the echo: grpc-go as it comes, on a TCP port and
// on a Unix socket in a directory, in which it finds its answers. It prints the
// address of the port, and ends with its standard input.
func serveEcho(_ context.Context, args []string) error {
	dir := args[1]
	e := echo{answers: map[string]answer{}}
	for _, tenant := range []string{customer, constant} {
		a, err := loadAnswer(dir, tenant)
		if err != nil {
			return err
		}
		e.answers[tenant] = a
	}
	port, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	socket, err := net.Listen("unix", echoSocket(dir))
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	verdictv1.RegisterAccessServiceServer(server, e)
	ended := make(chan error, 2)
	go func() { ended <- server.Serve(port) }()
	go func() { ended <- server.Serve(socket) }()
	fmt.Println(port.Addr())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		server.Stop()
	}()
	return <-ended
}

func echoSocket(dir string) string { return filepath.Join(dir, "echo.sock") }
