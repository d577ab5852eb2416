package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// selfSigned is a certificate for loopback, and the file of its authority, which
// is itself.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:     []string{"localhost"},
		IsCA:         true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func tokenIn(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// tellAuthorization answers with the authorization header as the id.
func tellAuthorization(ctx context.Context, _ *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	return &verdictv1.CheckAccessResponse{DecisionId: "authorization: " + strings.Join(md.Get("authorization"), ",")}, nil
}

func TestTLS(t *testing.T) {
	certificate, ca := selfSigned(t)
	_, otherCA := selfSigned(t)
	address := startStandIn(t, tellAuthorization, grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{certificate}})))
	_, port, _ := net.SplitHostPort(address)
	pool := x509.NewCertPool()
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(leaf)
	tests := []struct {
		name, target string
		options      []Option
		wantID       string
		wantErr      string
	}{
		{"its authority", address, []Option{WithCA(ca)}, "authorization: ", ""},
		{"by name", "localhost:" + port, []Option{WithCA(ca)}, "authorization: ", ""},
		{"its authority in a configuration", address, []Option{WithTLS(&tls.Config{RootCAs: pool})}, "authorization: ", ""},
		{"several servers", address + ",localhost:" + port, []Option{WithCA(ca)}, "authorization: ", ""},
		{"a token", address, []Option{WithCA(ca), WithTokenFile(tokenIn(t, " s3cret\n"))}, "authorization: Bearer s3cret", ""},
		{"another authority", address, []Option{WithCA(otherCA)}, "", "certificate"},
		{"the system's authorities", address, []Option{WithTLS(nil)}, "", "certificate"},
		{"no TLS at all", address, nil, "", "verdict at " + address},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			decision, err := dialTo(t, tt.target, append(tt.options, WithAttempts(1))...).Check(within5s(t), requestAbout("1"))
			if decision.ID != tt.wantID || (err == nil) != (tt.wantErr == "") {
				t.Fatalf("decision = %+v, %v", decision, err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.wantErr) || authz.KindOf(err) != authz.Unavailable) {
				t.Errorf("error = %v, want %q", err, tt.wantErr)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	address := startStandIn(t, tellAuthorization)
	says := func(token string, err error) Option {
		return WithToken(func(context.Context) (string, error) { return token, err })
	}
	tests := []struct {
		name    string
		option  Option
		wantID  string
		wantErr string
	}{
		{"of a function", says("abc.def", nil), "authorization: Bearer abc.def", ""},
		{"of a file", WithTokenFile(tokenIn(t, "\tabc\r\n")), "authorization: Bearer abc", ""},
		{"none", says("", nil), "", "the token is empty"},
		{"with a line end", says("a\r\nb: c", nil), "", "characters that no token has"},
		{"that is not to be had", says("", errors.New("the vault is shut")), "", "the vault is shut"},
		{"of an empty file", WithTokenFile(tokenIn(t, "\n")), "", "token: the token is empty"},
		{"of a file with more in it", WithTokenFile(tokenIn(t, "abc\nsha256: def\n")), "", "the file is to hold the token and nothing else"},
		{"of a file that is not there", WithTokenFile("nowhere"), "", "open nowhere"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			decision, err := dialTo(t, address, tt.option).Check(within5s(t), requestAbout("1"))
			if decision.ID != tt.wantID || (err == nil) != (tt.wantErr == "") {
				t.Fatalf("decision = %+v, %v", decision, err)
			}
			if err != nil && (!strings.Contains(err.Error(), tt.wantErr) || authz.KindOf(err) != authz.Unauthenticated) {
				t.Errorf("error = %v of kind %v, want %q", err, authz.KindOf(err), tt.wantErr)
			}
		})
	}
}

func TestTokenFileIsReadAgain(t *testing.T) {
	file := tokenIn(t, "one")
	synctest.Test(t, func(t *testing.T) {
		tokens := &tokenFile{path: file}
		want := func(want string) {
			t.Helper()
			if got, err := tokens.token(t.Context()); got != want || err != nil {
				t.Errorf("token = %q, %v, want %q", got, err, want)
			}
		}
		want("one")
		if err := os.WriteFile(file, []byte("two"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(maxTokenAge - time.Nanosecond)
		want("one")
		time.Sleep(time.Nanosecond)
		want("two")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(maxTokenAge)
		if _, err := tokens.token(t.Context()); err == nil {
			t.Error("the token is still there after its file is gone")
		}
	})
}
