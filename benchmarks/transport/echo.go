package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// An answer is what the echo answers a tenant: a decision of the real server
// about one of the requests, over gRPC and over HTTP, and one about a batch of them.
type answer struct {
	check      *verdictv1.CheckAccessResponse
	batch      *verdictv1.BatchCheckAccessResponse
	evaluation evaluationResponse
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
	evaluation, err := json.Marshal(a.evaluation)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, tenant+".check"), check, 0o600),
		os.WriteFile(filepath.Join(dir, tenant+".batch"), batch, 0o600),
		os.WriteFile(filepath.Join(dir, tenant+".evaluation"), evaluation, 0o600),
	)
}

func loadAnswer(dir, tenant string) (answer, error) {
	check, checkErr := os.ReadFile(filepath.Join(dir, tenant+".check"))
	batch, batchErr := os.ReadFile(filepath.Join(dir, tenant+".batch"))
	evaluation, evaluationErr := os.ReadFile(filepath.Join(dir, tenant+".evaluation"))
	if err := errors.Join(checkErr, batchErr, evaluationErr); err != nil {
		return answer{}, err
	}
	a := answer{check: &verdictv1.CheckAccessResponse{}, batch: &verdictv1.BatchCheckAccessResponse{}}
	err := errors.Join(proto.Unmarshal(check, a.check), proto.Unmarshal(batch, a.batch), json.Unmarshal(evaluation, &a.evaluation))
	return a, err
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
// on a Unix socket in a directory, in which it finds its answers, and net/http as it
// comes on another port, and grpc-go over TLS on a third. It prints the addresses of the ports, and ends with its
// standard input.
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
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	proxied, err := loadProxied(dir)
	if err != nil {
		return err
	}
	secured, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	security, err := credentials.NewServerTLSFromFile(certificateIn(dir), keyIn(dir))
	if err != nil {
		return err
	}
	server, overTLS := grpc.NewServer(), grpc.NewServer(grpc.Creds(security))
	verdictv1.RegisterAccessServiceServer(server, e)
	verdictv1.RegisterAccessServiceServer(overTLS, e)
	authv3.RegisterAuthorizationServer(server, proxied)
	ended := make(chan error, 4)
	go func() { ended <- overTLS.Serve(secured) }()
	go func() { ended <- server.Serve(port) }()
	go func() { ended <- server.Serve(socket) }()
	go func() { ended <- http.Serve(web, echoHTTP(e.evaluations())) }()
	fmt.Println(port.Addr(), web.Addr(), secured.Addr())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		server.Stop()
		overTLS.Stop()
	}()
	return <-ended
}

// evaluations are the answers over HTTP.
func (e echo) evaluations() map[string]evaluationResponse {
	all := map[string]evaluationResponse{}
	for tenant, a := range e.answers {
		all[tenant] = a.evaluation
	}
	return all
}

func echoSocket(dir string) string { return filepath.Join(dir, "echo.sock") }
