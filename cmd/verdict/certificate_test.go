package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/activation"
)

// An authority signs certificates for localhost.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	// file is its own certificate, as --ca takes it.
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	return newAuthorityBelow(t, nil)
}

// newAuthorityBelow is an authority that another has signed; nil for itself.
func newAuthorityBelow(t *testing.T, above *authority) *authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := &authority{certificate: template, key: newKey(t), file: filepath.Join(t.TempDir(), "ca.pem")}
	if above == nil {
		above = a
	} else {
		template.Subject.CommonName = "authority below"
	}
	der, err := x509.CreateCertificate(rand.Reader, template, above.certificate, a.key.Public(), above.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	write(t, a.file, encodePEM("CERTIFICATE", der))
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// issue signs a certificate with a serial number, and writes it and its key into
// a directory, as cert.pem and key.pem.
func (a *authority) issue(t *testing.T, dir string, serial int64) tlsConfig {
	t.Helper()
	return a.issueUntil(t, dir, serial, time.Now().Add(time.Hour))
}

func (a *authority) issueUntil(t *testing.T, dir string, serial int64, end time.Time) tlsConfig {
	t.Helper()
	return a.issueBetween(t, dir, serial, time.Now().Add(-48*time.Hour), end)
}

func (a *authority) issueBetween(t *testing.T, dir string, serial int64, begin, end time.Time) tlsConfig {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: begin, NotAfter: end,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key := newKey(t)
	chain, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	files := tlsConfig{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	write(t, files.Cert, encodePEM("CERTIFICATE", chain))
	write(t, files.Key, encodePEM("PRIVATE KEY", secret))
	return files
}

// client is the settings of a client that trusts the authority.
func (a *authority) client() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return &tls.Config{RootCAs: pool}
}

// httpClient speaks HTTP/1.1 or HTTP/2 to those that the authority has signed.
func (a *authority) httpClient(t *testing.T, two bool) *http.Client {
	t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!two)
	protocols.SetHTTP2(two)
	transport := &http.Transport{TLSClientConfig: a.client(), Protocols: &protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// serialAt is the serial number of the certificate that an address shows.
func (a *authority) serialAt(t *testing.T, address string) int64 {
	t.Helper()
	dialer := tls.Dialer{Config: a.client()}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// constantBundle is a bundle that allows everyone to read.
func constantBundle(t *testing.T) tenantConfig {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "authz.rego"), "package authz\n\nallow if input.action.name == \"read\"\n")
	return tenantConfig{Bundle: dir}
}

const readPlan = `{"subject":{"type":"user","id":"mina"},"action":{"name":"read"},"resource":{"type":"document","id":"plan"}}`

// askOver asks for a decision, and reports whether the connection had been used
// before.
func askOver(t *testing.T, client *http.Client, base string) (response *http.Response, text string, reused bool) {
	t.Helper()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/access/v1/evaluation", strings.NewReader(readPlan))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if response, err = client.Do(request); err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body), reused
}

func TestTLSOnBothListeners(t *testing.T) {
	authority := newAuthority(t)
	cfg := defaultConfig()
	cfg.TLS = authority.issue(t, t.TempDir(), 7)
	s, r := startService(t, cfg, bundleAt("default", constantBundle(t)))
	address := s.httpListener.Addr().String()

	for name, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		response, text, _ := askOver(t, authority.httpClient(t, two), "https://"+address)
		if response.Proto != name || response.TLS.Version != tls.VersionTLS13 || !strings.Contains(text, `"decision":true`) {
			t.Errorf("%s, TLS %x: %s, want %s, TLS 1.3 and an allow", response.Proto, response.TLS.Version, text, name)
		}
	}

	for _, listener := range []net.Listener{s.httpListener, s.grpcListener} {
		old := authority.client()
		old.MaxVersion = tls.VersionTLS12
		dialer := tls.Dialer{Config: old}
		if conn, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String()); err == nil {
			conn.Close()
			t.Error("a client that knows TLS 1.2 was served")
		}
	}
	plain, err := http.Post("http://"+address+"/access/v1/evaluation", "application/json", strings.NewReader(readPlan))
	if err != nil {
		t.Fatal(err)
	}
	plain.Body.Close()
	if plain.StatusCode != http.StatusBadRequest {
		t.Errorf("a request without TLS: %s, want 400", plain.Status)
	}

	tests := []struct {
		name     string
		ca       string
		want     int
		wantText string
	}{
		{"with the authority", authority.file, exitOK, "allow"},
		{"with another authority", newAuthority(t).file, exitError, "The server is not one that --ca knows"},
		{"without TLS", "", exitError, "Does the server speak TLS? Then give --ca"},
		{"with a file that is none", filepath.Join(constantBundle(t).Bundle, "authz.rego"), exitError, "holds no certificate: expected PEM"},
		{"with a file that is missing", "nowhere.pem", exitError, "nowhere.pem"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			args := []string{"check", "--server", r.server, "--ca", tt.ca, "user:mina", "read", "document:plan"}
			code := run(t.Context(), args, streams{out: &out, err: &out})
			if code != tt.want || !strings.Contains(out.String(), tt.wantText) {
				t.Errorf("exit code %d:\n%s\nwant %d and %q", code, &out, tt.want, tt.wantText)
			}
		})
	}
}

// TestCertificateWithItsChain serves with a certificate of an authority that clients
// know by another alone.
func TestCertificateWithItsChain(t *testing.T) {
	root := newAuthority(t)
	below := newAuthorityBelow(t, root)
	cfg := defaultConfig()
	cfg.TLS = below.issue(t, t.TempDir(), 9)
	chain := ""
	for _, file := range []string{cfg.TLS.Cert, below.file} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		chain += string(text)
	}
	write(t, cfg.TLS.Cert, chain)
	s, _ := startService(t, cfg, bundleAt("default", constantBundle(t)))
	for _, listener := range []net.Listener{s.httpListener, s.grpcListener} {
		if serial := root.serialAt(t, listener.Addr().String()); serial != 9 {
			t.Errorf("certificate %d is shown, want 9", serial)
		}
	}
}

func TestTLSToAServerWithoutIt(t *testing.T) {
	_, r := startService(t, defaultConfig(), bundleAt("default", constantBundle(t)))
	var out bytes.Buffer
	args := []string{"check", "--server", r.server, "--ca", newAuthority(t).file, "user:mina", "read", "document:plan"}
	if code := run(t.Context(), args, streams{out: &out, err: &out}); code != exitError || !strings.Contains(out.String(), "leave --ca away") {
		t.Errorf("exit code %d:\n%s\nwant an error that says so", code, &out)
	}
}

// TestTLSOverASocket holds that the Unix sockets are served alike, to clients
// that take them for localhost.
func TestTLSOverASocket(t *testing.T) {
	authority := newAuthority(t)
	cfg := defaultConfig()
	cfg.TLS = authority.issue(t, t.TempDir(), 1)
	cfg.GRPC.Address = unixPrefix + filepath.Join(t.TempDir(), "verdict.sock")
	_, r := startService(t, cfg, bundleAt("default", constantBundle(t)))
	r.ca = authority.file
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := verdictv1.NewPolicyServiceClient(conn).GetStatus(ctx, &verdictv1.GetStatusRequest{}); err != nil {
		t.Error(err)
	}
}

// TestCertificateIsReplacedUnderConnections replaces the files under clients
// that keep their connections.
func TestCertificateIsReplacedUnderConnections(t *testing.T) {
	authority := newAuthority(t)
	dir := t.TempDir()
	cfg := defaultConfig()
	cfg.TLS = authority.issue(t, dir, 1)
	s, r := startService(t, cfg, bundleAt("default", constantBundle(t)))
	address := s.httpListener.Addr().String()
	clients := []*http.Client{authority.httpClient(t, false), authority.httpClient(t, true)}
	for _, client := range clients {
		askOver(t, client, "https://"+address)
	}
	r.ca = authority.file
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	policies := verdictv1.NewPolicyServiceClient(conn)
	if _, err := policies.GetStatus(t.Context(), &verdictv1.GetStatusRequest{}); err != nil {
		t.Fatal(err)
	}

	authority.issue(t, dir, 2)
	for _, listener := range []net.Listener{s.httpListener, s.grpcListener} {
		awaitSerial(t, 2, func() int64 { return authority.serialAt(t, listener.Addr().String()) })
	}
	for _, client := range clients {
		if response, _, reused := askOver(t, client, "https://"+address); !reused || response.StatusCode != http.StatusOK {
			t.Errorf("%s: reused = %v, status %d, want the connection of before", response.Proto, reused, response.StatusCode)
		}
	}
	if _, err := policies.GetStatus(t.Context(), &verdictv1.GetStatusRequest{}); err != nil {
		t.Errorf("a call on the connection of before: %v", err)
	}
}

func awaitSerial(t *testing.T, want int64, serial func() int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); serial() != want; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("certificate %d is not shown within a minute, but %d", want, serial())
		}
	}
}

// watchedCertificate reads the files until the test ends. What it logs comes
// with it.
func watchedCertificate(t *testing.T, files tlsConfig) (shown func() int64, logs *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	c, err := openCertificate(files, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.watch(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return func() int64 { return c.shown.Load().Leaf.SerialNumber.Int64() }, logs
}

func TestCertificateOfTheLargestSize(t *testing.T) {
	files := newAuthority(t).issue(t, t.TempDir(), 1)
	text, err := os.ReadFile(files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	padding := strings.Repeat("\n", maxCertificateBytes-len(text))
	write(t, files.Cert, string(text)+padding)
	if _, err := openCertificate(files, zap.NewNop()); err != nil {
		t.Error(err)
	}
	write(t, files.Cert, string(text)+padding+"\n")
	if _, err := openCertificate(files, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("one byte more: %v", err)
	}
}

func TestServiceWithACertificateThatHasExpired(t *testing.T) {
	cfg := defaultConfig()
	cfg.GRPC.Address, cfg.HTTP.Address = "127.0.0.1:0", "127.0.0.1:0"
	cfg.TLS = newAuthority(t).issueUntil(t, t.TempDir(), 1, time.Now().Add(-24*time.Hour))
	_, err := openService(pointOptions{config: cfg, tenants: []activation.Tenant{shippedBundle("customer")}, clock: time.Now, logger: zap.NewNop()})
	if yesterday := time.Now().Add(-24 * time.Hour).UTC().Format(time.DateOnly); err == nil || !strings.Contains(err.Error(), "has expired on "+yesterday) {
		t.Errorf("error = %v, want one that says so", err)
	}
}

// TestCertificateThatIsNotValidYet is shown all the same, for the clock may be what is wrong,
// and the log says so.
func TestCertificateThatIsNotValidYet(t *testing.T) {
	settings := newAuthority(t).issueBetween(t, t.TempDir(), 1, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
	core, lines := observer.New(zap.WarnLevel)
	if _, err := openCertificate(settings, zap.New(core)); err != nil {
		t.Fatal(err)
	}
	if said := lines.FilterMessageSnippet("the TLS certificate is not valid yet"); said.Len() != 1 {
		t.Errorf("the log says %v", lines.All())
	}
}

func TestCertificateIsReplaced(t *testing.T) {
	authority := newAuthority(t)
	move := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("by renaming each file", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		files := authority.issue(t, dir, 1)
		shown, _ := watchedCertificate(t, files)
		next := authority.issue(t, filepath.Join(dir, "next"), 2)
		move(t, next.Cert, files.Cert)
		move(t, next.Key, files.Key)
		awaitSerial(t, 2, shown)
	})
	t.Run("by turning a link, as Kubernetes does", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		for serial, name := range []string{"..1", "..2"} {
			authority.issue(t, filepath.Join(dir, name), int64(serial+1))
		}
		link := func(to, name string) {
			t.Helper()
			if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		link("..1", "..data")
		link(filepath.Join("..data", "cert.pem"), "tls.crt")
		link(filepath.Join("..data", "key.pem"), "tls.key")
		shown, _ := watchedCertificate(t, tlsConfig{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key")})
		link("..2", "..data_tmp")
		move(t, filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data"))
		awaitSerial(t, 2, shown)
	})
	t.Run("by one that is valid from a moment on, once it is", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		shown, _ := watchedCertificate(t, authority.issue(t, dir, 1))
		begin := time.Now().Add(3 * time.Second).Truncate(time.Second)
		authority.issueBetween(t, dir, 2, begin, begin.Add(time.Hour))
		awaitSerial(t, 2, shown)
		if now := time.Now(); now.Before(begin) {
			t.Errorf("it is shown %s too early", begin.Sub(now))
		}
	})
	t.Run("not by a broken pair, which is logged once", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		files := authority.issue(t, dir, 1)
		shown, logs := watchedCertificate(t, files)
		other := authority.issue(t, filepath.Join(dir, "other"), 2)
		for _, broken := range []func(){
			func() { move(t, other.Key, files.Key) }, // of another certificate
			func() { write(t, files.Cert, "no PEM") },
			func() { write(t, files.Cert, strings.Repeat("a", maxCertificateBytes+1)) },
			func() { authority.issueUntil(t, dir, 2, time.Now().Add(-time.Second)) },
			func() { authority.issueBetween(t, dir, 2, time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)) },
			func() { os.Remove(files.Cert) },
		} {
			before := logs.FilterLevelExact(zap.ErrorLevel).Len()
			broken()
			for end := time.Now().Add(time.Minute); logs.FilterLevelExact(zap.ErrorLevel).Len() == before; time.Sleep(20 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("nothing was logged within a minute")
				}
			}
		}
		time.Sleep(2 * certificateInterval)
		entries := logs.FilterLevelExact(zap.ErrorLevel).All()
		wants := []string{"private key does not match", "failed to find any PEM data", "larger than 1048576 bytes", "has expired on", "is not valid before", "no such file"}
		if len(entries) != len(wants) {
			t.Errorf("%d lines were logged, want %d: %v", len(entries), len(wants), entries)
		}
		for i, want := range wants {
			if got, _ := entries[i].ContextMap()["error"].(string); !strings.Contains(got, want) || !strings.Contains(got, dir) {
				t.Errorf("logged %q, want a file and %q", got, want)
			}
		}
		if got := shown(); got != 1 {
			t.Errorf("certificate %d is shown, want the one before", got)
		}
		authority.issue(t, dir, 3)
		awaitSerial(t, 3, shown)
	})
}
