package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// What it costs to know who calls and to ask whether they may: over TLS by a token and by
// a certificate, beside the echo over TLS, and at a Unix socket by the caller's user,
// beside the echo over TCP.

// securedTarget is the ratio that callers over TLS are held to, and peerTarget that of
// callers at a socket.
const (
	securedTarget = 1.15
	peerTarget    = 1.0
)

const callerToken = "verdict_of_the_benchmark"

// callersConfig is for the end of a server's configuration.
func callersConfig(dir string, secured bool) string {
	hash := sha256.Sum256([]byte(callerToken))
	text := "callers:\n" +
		"  roles:\n" +
		"    - {subject: \"service:bench\", role: check, tenants: [" + customer + "]}\n" +
		"    - {subject: \"dns:localhost\", role: check, tenants: [" + customer + "]}\n"
	if !secured {
		return text + fmt.Sprintf("  peers: [{subject: \"service:bench\", uid: %d}]\n", os.Geteuid())
	}
	return text +
		"  tokens: [{subject: \"service:bench\", sha256: " + hex.EncodeToString(hash[:]) + "}]\n" +
		fmt.Sprintf("  certificates: {ca: %q}\ntls: {cert: %q, key: %q}\n", certificateIn(dir), certificateIn(dir), keyIn(dir))
}

func certificateIn(dir string) string { return filepath.Join(dir, "cert.pem") }
func keyIn(dir string) string         { return filepath.Join(dir, "key.pem") }

// writeCertificate writes a certificate that signs itself, for servers and clients alike.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(certificateIn(dir), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o600),
		os.WriteFile(keyIn(dir), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600),
	)
}

// clientSecurity is that of a client, which shows the certificate if it is to.
func clientSecurity(dir string, shows bool) (grpc.DialOption, error) {
	text, err := os.ReadFile(certificateIn(dir))
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS13}
	settings.RootCAs.AppendCertsFromPEM(text)
	if shows {
		pair, err := tls.LoadX509KeyPair(certificateIn(dir), keyIn(dir))
		if err != nil {
			return nil, err
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return grpc.WithTransportCredentials(credentials.NewTLS(settings)), nil
}

// A bearer sends the token with each call.
type bearer struct{}

func (bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + callerToken}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

// callersGroups starts servers that ask who calls, and lays out their rows beside those
// of the echo, of which the plain one is over TCP.
func (b *bench) callersGroups(ctx context.Context, binaries builds, echo *process, plain row) ([]group, error) {
	bare, err := clientSecurity(b.dir, false)
	if err != nil {
		return nil, err
	}
	showing, err := clientSecurity(b.dir, true)
	if err != nil {
		return nil, err
	}
	over, err := b.dial("echo over TLS", echo, echo.secured, bare)
	if err != nil {
		return nil, err
	}
	secured, peers := []row{over}, []row{plain}
	for _, binary := range binaries {
		p, err := b.startAsking(ctx, binary, "secured-"+binary.name, "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		for _, way := range []struct {
			name    string
			options []grpc.DialOption
		}{
			{", by a token", []grpc.DialOption{bare, grpc.WithPerRPCCredentials(bearer{})}}, {", by a certificate", []grpc.DialOption{showing}},
		} {
			r, err := b.dial(binary.name+way.name, p, p.address, way.options...)
			if err != nil {
				return nil, err
			}
			secured = append(secured, r)
		}
		dir := "peer-" + binary.name
		if p, err = b.startAsking(ctx, binary, dir, "unix://"+filepath.Join(b.dir, dir, "grpc.sock")); err != nil {
			return nil, err
		}
		r, err := b.dial(binary.name+", by its user at a Unix socket", p, p.address)
		if err != nil {
			return nil, err
		}
		peers = append(peers, r)
	}
	return []group{
		{name: "callers over TLS, CheckAccess, customer policy", decisions: 1, most: securedTarget, rows: secured},
		{name: "callers at a Unix socket, CheckAccess, customer policy", decisions: 1, most: peerTarget, rows: peers},
	}, nil
}

// startAsking starts a server that asks who calls.
func (b *bench) startAsking(ctx context.Context, binary build, name, address string) (*process, error) {
	dir := filepath.Join(b.dir, name)
	if err := prepare(ctx, binary, dir, b.key); err != nil {
		return nil, err
	}
	config, err := os.OpenFile(filepath.Join(dir, "verdict.yaml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = config.WriteString(callersConfig(b.dir, address == "127.0.0.1:0"))
	if err := errors.Join(err, config.Close()); err != nil {
		return nil, err
	}
	p, err := startVerdict(binary, dir, address)
	if err != nil {
		return nil, err
	}
	b.processes = append(b.processes, p)
	return p, nil
}
