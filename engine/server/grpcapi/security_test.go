package grpcapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// TestCallersAreKnownByTheirConnections holds that who decides can see how the caller
// has connected, its certificate included.
func TestCallersAreKnownByTheirConnections(t *testing.T) {
	shown := httptest.NewTLSServer(nil)
	shown.Close()
	certificates, trusted := shown.TLS.Certificates, x509.NewCertPool()
	trusted.AddCert(shown.Certificate())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var caller *peer.Peer
	server := New(withDefaults(t, Options{
		Security: credentials.NewTLS(&tls.Config{Certificates: certificates, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}),
		Decider: decideFunc(func(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
			caller, _ = peer.FromContext(ctx)
			return authz.Decision{Allowed: true}, nil
		}),
	}))
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(
		credentials.NewTLS(&tls.Config{RootCAs: trusted, ServerName: "example.com", Certificates: certificates})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(t.Context(), &verdictv1.CheckAccessRequest{}); err != nil {
		t.Fatal(err)
	}
	info, is := caller.AuthInfo.(credentials.TLSInfo)
	if !is || info.State.Version != tls.VersionTLS13 || len(info.State.PeerCertificates) != 1 || !info.State.PeerCertificates[0].Equal(shown.Certificate()) {
		t.Errorf("the caller is %v, want one by TLS 1.3 with its certificate", caller)
	}
}
