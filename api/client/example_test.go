package client_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
	"github.com/verdictpdp/verdict/api/client/pep"
)

// The shortest way: who, what, on which.
func Example() {
	address, stop := serveWorkforce("tcp", "127.0.0.1:0")
	defer stop()

	verdict, err := client.New(address, client.WithTenant("workforce"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verdict.Close()

	for _, nurse := range []string{"user:mina", "user:nora"} {
		allowed, err := verdict.Allowed(context.Background(), nurse, "read", "patient_record:p-102")
		fmt.Println(nurse, allowed, err)
	}
	// Output:
	// user:mina true <nil>
	// user:nora false <nil>
}

// A server next to the application is best reached by a Unix socket.
func ExampleNew_unixSocket() {
	dir, err := os.MkdirTemp("", "verdict")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	address, stop := serveWorkforce("unix", filepath.Join(dir, "verdict.sock"))
	defer stop()

	verdict, err := client.New(address, client.WithTenant("workforce"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verdict.Close()
	fmt.Println("ready:", verdict.WaitReady(context.Background()))

	allowed, err := verdict.Allowed(context.Background(), "user:mina", "read", "patient_record:p-102")
	fmt.Println(allowed, err)
	// Output:
	// ready: <nil>
	// true <nil>
}

// A decision has reasons, and obligations that the application must meet.
func ExampleClient_Check() {
	address, stop := serveWorkforce("tcp", "127.0.0.1:0")
	defer stop()
	verdict, err := client.New(address, client.WithTenant("workforce"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verdict.Close()

	decision, err := verdict.Check(context.Background(), authz.Request{
		Subject:  authz.Subject{Type: "user", ID: "nora"},
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "patient_record", ID: "p-102"},
		Context:  authz.Object{"break_glass": true},
	})
	if err != nil {
		fmt.Println("no decision, so a deny:", err)
		return
	}
	fmt.Println("allowed:", decision.Allowed)
	fmt.Println("notify:", decision.Obligations["notify"])
	fmt.Println(strings.Join(decision.Reasons, "\n"))
	// Output:
	// allowed: true
	// notify: [group:privacy-office]
	// Granted by nurses: role:nurse on organization:st-olaf.
	// The glass was broken: the patient is in no ward or care team of the subject.
}

// What a page shows is asked for in one call, and decided at one time.
func ExampleClient_CheckBatch() {
	address, stop := serveWorkforce("tcp", "127.0.0.1:0")
	defer stop()
	verdict, err := client.New(address, client.WithTenant("workforce"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verdict.Close()

	records := []string{"p-102", "p-203"}
	var requests []authz.Request
	for _, record := range records {
		requests = append(requests, authz.Request{
			Subject:  authz.Subject{Type: "user", ID: "mina"},
			Action:   authz.Action{Name: "read"},
			Resource: authz.Resource{Type: "patient_record", ID: record},
		})
	}
	decisions, err := verdict.CheckBatch(context.Background(), requests, client.BatchOptions{})
	if err != nil {
		fmt.Println("no decisions, so a deny:", err)
		return
	}
	for i, decision := range decisions {
		fmt.Println(records[i], decision.Allowed)
	}
	// Output:
	// p-102 true
	// p-203 false
}

// Who may do something is found page by page, and so is what may be done, and what it
// may be done to.
func ExampleClient_SearchSubjects() {
	address, stop := serveWorkforce("tcp", "127.0.0.1:0")
	defer stop()
	verdict, err := client.New(address, client.WithTenant("workforce"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verdict.Close()

	who := authz.Request{
		Subject:  authz.Subject{Type: "user"}, // and no id: it is searched for
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "patient_record", ID: "p-102"},
	}
	for page, err := range verdict.SearchSubjects(context.Background(), who, client.SearchOptions{}) {
		if err != nil {
			fmt.Println("the search is not complete:", err)
			return
		}
		for _, id := range page.IDs {
			fmt.Println(id)
		}
	}
	// Output:
	// mina
	// omar
}

// A server of HTTP refuses what is not allowed, and meets obligations.
func Example_http() {
	address, stop := serveWorkforce("tcp", "127.0.0.1:0")
	defer stop()
	verdict, err := client.New(address, client.WithTenant("workforce"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verdict.Close()

	point := pep.New(verdict, pep.WithObligations("give_reason", "notify"))
	mux := http.NewServeMux()
	mux.Handle("GET /records/{id}", point.Handler(
		func(r *http.Request) (authz.Request, error) {
			user, _, known := r.BasicAuth() // stands for a real login
			if !known {
				return authz.Request{}, pep.ErrNoRequest
			}
			return authz.Request{
				Subject:  authz.Subject{Type: "user", ID: user},
				Action:   authz.Action{Name: "read"},
				Resource: authz.Resource{Type: "patient_record", ID: r.PathValue("id")},
				Context:  authz.Object{"break_glass": r.Header.Get("Break-Glass") != ""},
			}, nil
		},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			decision, _ := pep.DecisionFrom(r.Context())
			if whom, obliged := decision.Obligations["notify"]; obliged {
				fmt.Println("(notifies", whom, ")")
			}
			fmt.Fprintln(w, "the record of", r.PathValue("id"))
		}),
	))
	server := httptest.NewServer(mux)
	defer server.Close()

	get := func(user string, header http.Header) {
		request, err := http.NewRequest(http.MethodGet, server.URL+"/records/p-102", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		request.Header = header
		if user != "" {
			request.SetBasicAuth(user, "")
		}
		response, err := server.Client().Do(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if response.StatusCode != http.StatusOK {
			body = nil
		}
		fmt.Println(user, response.StatusCode, strings.TrimSpace(string(body)), err)
	}
	get("mina", http.Header{})
	get("nora", http.Header{})
	get("nora", http.Header{"Break-Glass": {"1"}})
	get("", http.Header{})
	// Output:
	// mina 200 the record of p-102 <nil>
	// nora 403  <nil>
	// (notifies [group:privacy-office] )
	// nora 200 the record of p-102 <nil>
	//  403  <nil>
}

// A server of gRPC refuses what is not allowed. The health service stands for one of
// your own, and what it is asked about for a record.
func Example_grpc() {
	address, stop := serveWorkforce("tcp", "127.0.0.1:0")
	defer stop()
	verdict, err := client.New(address, client.WithTenant("workforce"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer verdict.Close()

	point := pep.New(verdict)
	mayRead := func(ctx context.Context, message any) (authz.Request, error) {
		user := metadata.ValueFromIncomingContext(ctx, "user") // your login in its place
		if len(user) != 1 {
			return authz.Request{}, pep.ErrNoRequest
		}
		return authz.Request{
			Subject:  authz.Subject{Type: "user", ID: user[0]},
			Action:   authz.Action{Name: "read"},
			Resource: authz.Resource{Type: "patient_record", ID: message.(*healthpb.HealthCheckRequest).GetService()},
		}, nil
	}
	methods := pep.Methods{"/grpc.health.v1.Health/Check": mayRead}
	streams := pep.Streams{"/grpc.health.v1.Health/Watch": {Message: mayRead}}
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(point.UnaryServerInterceptor(methods)),
		grpc.ChainStreamInterceptor(point.StreamServerInterceptor(streams)),
	)

	service := health.NewServer()
	service.SetServingStatus("p-102", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, service)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(listener)
	defer server.Stop()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	records := healthpb.NewHealthClient(conn)
	for _, user := range []string{"mina", "nora"} {
		ctx := metadata.AppendToOutgoingContext(context.Background(), "user", user)
		_, err := records.Check(ctx, &healthpb.HealthCheckRequest{Service: "p-102"})
		fmt.Println(user, "checks:", status.Code(err))
		watch, err := records.Watch(ctx, &healthpb.HealthCheckRequest{Service: "p-102"})
		if err == nil {
			_, err = watch.Recv()
		}
		fmt.Println(user, "watches:", status.Code(err))
	}
	_, err = records.List(context.Background(), &healthpb.HealthListRequest{})
	fmt.Println("a method that nothing is said about:", status.Code(err))
	// Output:
	// mina checks: OK
	// mina watches: OK
	// nora checks: PermissionDenied
	// nora watches: PermissionDenied
	// a method that nothing is said about: PermissionDenied
}
