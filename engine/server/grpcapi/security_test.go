package grpcapi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// newCertificate signs itself, for servers and clients alike.
func newCertificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames:    []string{"example.com"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(signed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: signed}, pool
}

// TestCallersAreKnownByTheirConnections holds that who decides can see who calls, by a
// certificate, by the process at a Unix socket, and by a token of the call before them.
func TestCallersAreKnownByTheirConnections(t *testing.T) {
	certificate, trusted := newCertificate(t)
	self := uint32(os.Geteuid())
	app, crm := authz.EntityRef{Type: "service", ID: "app"}, authz.EntityRef{Type: "service", ID: "crm"}
	token := caller.NewToken()
	callers := caller.New(caller.Options{
		Certificates: caller.NewCertificates(trusted, nil),
		Peers:        []caller.PeerRule{{UID: &self, Subject: app}},
		Tokens:       []caller.TokenHash{{Subject: crm, Hash: caller.HashOf(token)}},
	})
	tests := []struct {
		name, network string
		client        credentials.TransportCredentials
		token         string
		want          caller.Caller // without Until
		refused       codes.Code
	}{
		{"a certificate", "tcp", credentials.NewTLS(&tls.Config{RootCAs: trusted, ServerName: "example.com", Certificates: []tls.Certificate{certificate}}), "",
			caller.Caller{Subject: authz.EntityRef{Type: "dns", ID: "example.com"}, Method: caller.MTLS, Address: "127.0.0.1"}, codes.OK},
		{"a token", "tcp", credentials.NewTLS(&tls.Config{RootCAs: trusted, ServerName: "example.com"}), token,
			caller.Caller{Subject: crm, Method: caller.Token, Address: "127.0.0.1"}, codes.OK},
		{"nothing", "tcp", credentials.NewTLS(&tls.Config{RootCAs: trusted, ServerName: "example.com"}), "", caller.Caller{}, codes.Unauthenticated},
		{"a process", "unix", insecure.NewCredentials(), "", caller.Caller{Subject: app, Method: caller.Peer, Address: "unix"}, codes.OK},
		{"a process with a token", "unix", insecure.NewCredentials(), token, caller.Caller{Subject: crm, Method: caller.Token, Address: "unix"}, codes.OK},
		{"a process with a wrong token", "unix", insecure.NewCredentials(), "x", caller.Caller{}, codes.Unauthenticated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var called caller.Caller
			options := withDefaults(t, Options{Callers: callers, Decider: decideFunc(func(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
				called = caller.From(ctx)
				return authz.Decision{Allowed: true}, nil
			})})
			address, target := "127.0.0.1:0", ""
			if tt.network == "unix" {
				address = filepath.Join(t.TempDir(), "s")
				target = "unix://" + address
			} else {
				options.Security = credentials.NewTLS(&tls.Config{
					Certificates: []tls.Certificate{certificate}, ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13,
				})
			}
			listener, err := net.Listen(tt.network, address)
			if err != nil {
				t.Fatal(err)
			}
			if target == "" {
				target = listener.Addr().String()
			}
			server := New(options)
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
			conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(tt.client))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx := t.Context()
			if tt.token != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+tt.token)
			}
			_, err = verdictv1.NewAccessServiceClient(conn).CheckAccess(ctx, &verdictv1.CheckAccessRequest{})
			wantStatus(t, err, tt.refused)
			called.Until = time.Time{}
			if called != tt.want {
				t.Errorf("the caller is %+v, want %+v", called, tt.want)
			}
		})
	}
}
