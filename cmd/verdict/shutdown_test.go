package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/client"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// drainingConfig has a delay that a test sees the end of.
func drainingConfig() config {
	cfg := defaultConfig()
	cfg.Shutdown.Delay = duration(time.Second)
	cfg.Shutdown.Grace = duration(time.Minute)
	return cfg
}

// TestDrainingServerAnswersAndSaysThatItIsNotReady looks at what a server does
// between the signal and its end.
func TestDrainingServerAnswersAndSaysThatItIsNotReady(t *testing.T) {
	s, r := startService(t, defaultConfig(), bundleAt("default", constantBundle(t)))
	if code, body := readyz(t, s); code != http.StatusOK {
		t.Fatalf("/readyz is %d before, %s", code, body)
	}
	s.draining.Store(true)
	if code, body := readyz(t, s); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz is %d, %s, want 503", code, body)
	}
	response, err := postEvaluation(http.DefaultClient, s)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("over HTTP it answers %v, %v", response, err)
	}
	if !response.Close {
		t.Error("an HTTP caller is not told to connect anew")
	}
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	health, err := healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err != nil || health.GetStatus() != healthpb.HealthCheckResponse_NOT_SERVING {
		t.Errorf("the health is %v, %v, want NOT_SERVING", health, err)
	}
	if allowed, err := checkOver(t.Context(), conn); err != nil || !allowed {
		t.Errorf("over gRPC it answers %v, %v", allowed, err)
	}
}

// TestShutdownLosesNoCheck ends one of two servers while several clients ask.
func TestShutdownLosesNoCheck(t *testing.T) {
	first, end, ended := startEnding(t, drainingConfig(), bundleAt("default", constantBundle(t)))
	_, second := startService(t, defaultConfig(), bundleAt("default", constantBundle(t)))
	r := &remote{server: dialable(first.grpcListener.Addr())}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var asking sync.WaitGroup
	var byClient, byStub, byHTTP atomic.Int64

	c, err := client.New(r.server + "," + second.server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 4 {
		asking.Go(func() {
			for ctx.Err() == nil {
				allowed, err := c.Allowed(t.Context(), "user:mina", "read", "document:plan")
				if err != nil || !allowed {
					t.Errorf("the Go client, with another server: %v, %v", allowed, err)
					return
				}
				byClient.Add(1)
			}
		})
		asking.Go(func() {
			for ctx.Err() == nil {
				allowed, err := checkOver(t.Context(), conn)
				if status.Code(err) == codes.Unavailable { // nothing listens any more
					return
				}
				if err != nil || !allowed {
					t.Errorf("a stub with one server: %v, %v", allowed, err)
					return
				}
				byStub.Add(1)
			}
		})
		asking.Go(func() {
			web := &http.Client{Transport: &http.Transport{}}
			defer web.CloseIdleConnections()
			for ctx.Err() == nil {
				response, err := postEvaluation(web, first)
				if err != nil || response.StatusCode != http.StatusOK {
					t.Errorf("over HTTP: %v, %v", response, err)
					return
				}
				byHTTP.Add(1)
				if response.Close { // on to another server
					return
				}
			}
		})
	}
	awaitCalls(t, "calls of each way", func() bool { return byClient.Load() > 100 && byStub.Load() > 100 && byHTTP.Load() > 100 })
	start := time.Now()
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took, delay := time.Since(start), time.Duration(first.config.Shutdown.Delay); took < delay {
		t.Errorf("the server ended after %v, before its delay of %v", took, delay)
	}
	before := byClient.Load()
	awaitCalls(t, "calls after the end", func() bool { return byClient.Load() > before+100 || t.Failed() })
	stop()
	asking.Wait()
}

// awaitCalls waits for something to become true.
func awaitCalls(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there are no %s within a minute", what)
		}
	}
}

// postEvaluation asks over HTTP. The body of the response is read.
func postEvaluation(web *http.Client, s *service) (*http.Response, error) {
	response, err := web.Post("http://"+s.httpListener.Addr().String()+"/access/v1/evaluation", "application/json",
		strings.NewReader(readPlan))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response, err
}

// checkOver asks once, over a connection.
func checkOver(ctx context.Context, conn grpc.ClientConnInterface) (allowed bool, err error) {
	response, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(ctx, &verdictv1.CheckAccessRequest{
		Subject: &verdictv1.Subject{Type: "user", Id: "mina"}, Action: &verdictv1.Action{Name: "read"}, Resource: &verdictv1.Resource{Type: "document", Id: "plan"},
	})
	return response.GetAllowed(), err
}
