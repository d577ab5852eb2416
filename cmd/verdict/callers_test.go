package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/caller"
)

// oneToken is a configuration with one caller, who may check.
func oneToken() (cfg config, token string) {
	cfg, token = defaultConfig(), caller.NewToken()
	cfg.Callers.Tokens = []tokenConfig{{Subject: "service:crm", SHA256: caller.HashOf(token).String()}}
	cfg.Callers.Roles = []roleConfig{{Subject: "service:crm", Role: "check", Tenants: []string{"default"}}}
	return cfg, token
}

// TestNoWayInAnswersStrangers asks a service for everything that it has, and for every
// method of gRPC that its binary knows of, without showing who asks.
func TestNoWayInAnswersStrangers(t *testing.T) {
	cfg, token := oneToken()
	cfg.ExtAuthz.Enabled, cfg.ForwardAuth.Enabled = true, true
	cfg.HTTP.PublicURL = "https://pdp.example.com"
	s, r := startService(t, cfg, bundleAt("default", constantBundle(t)))
	conn, err := grpc.NewClient(r.server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	public := map[string]bool{"/grpc.health.v1.Health/Check": true, "/grpc.health.v1.Health/Watch": true}
	refused := 0
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				method := fmt.Sprintf("/%s/%s", service.FullName(), service.Methods().Get(j).Name())
				switch code := firstAnswer(t, conn, method); {
				case code == codes.Unauthenticated:
					refused++
				case code == codes.OK && public[method]:
				default:
					t.Errorf("%s answers a stranger %v", method, code)
				}
			}
		}
		return true
	})
	if refused < 20 {
		t.Errorf("only %d methods refuse a stranger", refused)
	}

	base := "http://" + s.httpListener.Addr().String()
	for path, want := range map[string]int{
		"POST /access/v1/evaluation": 401, "POST /access/v1/evaluations": 401, "POST /tenants/default/access/v1/evaluation": 401,
		"POST /access/v1/search/subject": 401, "POST /access/v1/search/resource": 401, "POST /access/v1/search/action": 401,
		"POST /v1/plan/resources": 401, "GET /metrics": 401, "GET /proxy/nginx": 401, "GET /proxy/forwarded": 401,
		"GET /tenants/default/proxy/forwarded": 401, "GET /debug/pprof/": 401, "GET /": 401, "OPTIONS /access/v1/evaluation": 401,
		"GET /healthz": 200, "GET /readyz": 200, "GET /.well-known/authzen-configuration": 200,
	} {
		method, path, _ := strings.Cut(path, " ")
		if got, _ := askWith(t, method, base+path, ""); got != want {
			t.Errorf("%s %s answers a stranger %d, want %d", method, path, got, want)
		}
	}
	if code, text := askWith(t, "POST", base+"/access/v1/evaluation", token); code != 200 || !strings.Contains(text, `"decision":true`) {
		t.Errorf("a caller is answered %d %s", code, text)
	}
	if code, _ := askWith(t, "GET", base+"/metrics", token); code != 403 {
		t.Errorf("a caller who may check is told the metrics: %d", code)
	}
}

// firstAnswer is how a call without credentials ends, or OK with its first answer.
func firstAnswer(t *testing.T, conn *grpc.ClientConn, method string) codes.Code {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(&emptypb.Empty{}); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	return status.Code(stream.RecvMsg(&emptypb.Empty{}))
}

func askWith(t *testing.T, method, address, token string) (code int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(readPlan))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// client signs a client certificate with a SPIFFE ID.
func (a *authority) client509(t *testing.T, id string) tls.Certificate {
	t.Helper()
	uri, err := url.Parse(id)
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(7), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		URIs: []*url.URL{uri}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestClientCertificates holds that both addresses take them, of one authority, until it
// is no longer among those in the file.
func TestClientCertificates(t *testing.T) {
	servers, clients := newAuthority(t), newAuthority(t)
	cfg := defaultConfig()
	cfg.TLS = servers.issue(t, t.TempDir(), 1)
	cfg.Callers.Certificates.CA = filepath.Join(t.TempDir(), "clients.pem")
	trust := func(a *authority) {
		text, err := os.ReadFile(a.file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, cfg.Callers.Certificates.CA, string(text))
	}
	trust(clients)
	cfg.Callers.Roles = []roleConfig{{Subject: "spiffe://example/crm", Role: "check", Tenants: []string{"default"}}}
	if err := cfg.validate(); err != nil {
		t.Fatal(err)
	}
	s, r := startService(t, cfg, bundleAt("default", constantBundle(t)))
	crm, other := clients.client509(t, "spiffe://example/crm"), clients.client509(t, "spiffe://example/else")
	stranger := servers.client509(t, "spiffe://example/crm")
	overHTTP := func(shown ...tls.Certificate) func() int {
		settings := servers.client()
		settings.Certificates = shown
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true}, Timeout: time.Minute}
		t.Cleanup(client.CloseIdleConnections)
		return func() int {
			response, err := client.Post("https://"+s.httpListener.Addr().String()+"/access/v1/evaluation", "application/json", strings.NewReader(readPlan))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			_, _ = io.Copy(io.Discard, response.Body)
			return response.StatusCode
		}
	}
	byCRM := overHTTP(crm)
	for name, tt := range map[string]struct {
		ask  func() int
		want int
	}{
		"a caller":                      {byCRM, 200},
		"a caller without a role":       {overHTTP(other), 403},
		"one of another authority":      {overHTTP(stranger), 401},
		"one that shows no certificate": {overHTTP(), 401},
	} {
		if got := tt.ask(); got != tt.want {
			t.Errorf("%s is answered %d, want %d", name, got, tt.want)
		}
	}
	// The command line shows it as well.
	dir := t.TempDir()
	secret, err := x509.MarshalPKCS8PrivateKey(crm.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	r.ca, r.tenant = servers.file, "default"
	r.shown = proof{cert: filepath.Join(dir, "crm.pem"), key: filepath.Join(dir, "crm.key")}
	write(t, r.shown.cert, encodePEM("CERTIFICATE", crm.Certificate[0]))
	write(t, r.shown.key, encodePEM("PRIVATE KEY", secret))
	output := &strings.Builder{}
	if code := run(t.Context(), []string{"check", "user:mina", "read", "document:plan", "--server", r.server, "--ca", r.ca, "--cert", r.shown.cert, "--key", r.shown.key}, streams{out: output, err: output}); code != exitOK {
		t.Errorf("verdict check: %d %s", code, output)
	}
	t.Run("when the authority is gone", func(t *testing.T) {
		trust(servers)
		for end := time.Now().Add(time.Minute); byCRM() != 401; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("its clients are answered on")
			}
		}
		if got := overHTTP(stranger)(); got != 200 {
			t.Errorf("the clients of the one in its place are answered %d", got)
		}
	})
}

// TestCallersWithAPolicyOfTheirOwn holds that another package verdict.api decides, once
// its own tests hold.
func TestCallersWithAPolicyOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "api.rego"), "package verdict.api\n\nimport rego.v2\n\nallow if {\n\tinput.operation == \"check\"\n\tdata.verdict.callers[input.caller.subject]\n\tinput.caller.address == \"127.0.0.1\"\n}\n")
	cfg, token := oneToken()
	cfg.Callers.Bundle = dir
	cfg.Callers.Roles[0].Tenants = []string{"elsewhere"}
	s, _ := startService(t, cfg, bundleAt("default", constantBundle(t)))
	if code, text := askWith(t, "POST", "http://"+s.httpListener.Addr().String()+"/access/v1/evaluation", token); code != 200 {
		t.Errorf("status %d %s", code, text)
	}
	t.Run("which is refused if its tests fail", func(t *testing.T) {
		write(t, filepath.Join(dir, "api_test.rego"), "package api_test\n\nimport rego.v2\n\ntest_nothing if false\n")
		_, err := openService(pointOptions{config: cfg, tenants: []activation.Tenant{bundleAt("default", constantBundle(t))}, clock: time.Now, logger: s.logger})
		if err == nil || !strings.Contains(err.Error(), "the policy for callers: 1 of the 1 tests of bundle") {
			t.Errorf("error = %v", err)
		}
	})
}

func TestRolesOfCallers(t *testing.T) {
	callers := callersConfig{Anonymous: "check", Roles: []roleConfig{
		{Subject: "service:hr", Role: "write", Tenants: []string{"staff", "shop"}},
		{Subject: "service:hr", Role: "administer", Tenants: []string{"staff"}},
		{Subject: "service:hr", Role: "check", Tenants: []string{"staff", "*"}},
	}}
	want := map[string]any{
		"":           map[string]any{"*": "check"},
		"service:hr": map[string]any{"staff": "administer", "shop": "write", "*": "check"},
	}
	if diff := cmp.Diff(want, callers.roles()); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
}

// TestCallersThatCouldNotCall refuses ways to show who calls that none could take, or that
// would take one caller for another.
func TestCallersThatCouldNotCall(t *testing.T) {
	uid := count(1)
	for name, tt := range map[string]struct {
		change func(*config)
		want   string // nothing where it is let be
	}{
		"peers without a socket": {func(c *config) { c.Callers.Peers = []peerConfig{{Subject: "service:app", UID: &uid}} },
			"callers.peers: need a Unix socket"},
		"peers at a socket of gRPC": {func(c *config) {
			c.Callers.Peers = []peerConfig{{Subject: "service:app", UID: &uid}}
			c.GRPC.Address = "unix://verdict.sock"
		}, ""},
		"peers at a socket of HTTP": {func(c *config) {
			c.Callers.Peers = []peerConfig{{Subject: "service:app", UID: &uid}}
			c.HTTP.Address = "unix://verdict.sock"
		}, ""},
		"a token of two": {func(c *config) {
			c.Callers.Tokens = append(c.Callers.Tokens, tokenConfig{Subject: "service:hr", SHA256: c.Callers.Tokens[0].SHA256})
		}, "callers.tokens[1].sha256: is that of tokens[0] as well"},
		"a subject of a subject": {func(c *config) { c.Callers.Certificates.Subjects = map[string]string{"dns:a.example": "service:a"} },
			`callers.certificates.subjects: "dns:a.example" is in no certificate`},
		"a subject of nothing": {func(c *config) { c.Callers.Certificates.Subjects = map[string]string{"": "service:a"} },
			`callers.certificates.subjects: "" is in no certificate`},
		"subjects": {func(c *config) {
			c.Callers.Certificates.Subjects = map[string]string{"a.example": "service:a", "spiffe://example/b": "service:b"}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := oneToken()
			tt.change(&cfg)
			err := cfg.validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error = %v, want %q", err, tt.want)
			}
		})
	}
}

func TestReach(t *testing.T) {
	withTLS := func(c *config) { c.TLS = tlsConfig{Cert: "c", Key: "k"} }
	withCallers := func(c *config) { known, _ := oneToken(); c.Callers = known.Callers }
	anonymous := func(c *config) { c.Callers.Anonymous = "check" }
	plaintext := func(c *config) { c.Insecure.Plaintext = true }
	anyone := func(c *config) { c.Insecure.Anyone = true }
	const noTLS, noCallers = "without TLS", "callers need not show who they are"
	tests := []struct {
		name    string
		address string
		changes []func(*config)
		want    []string // what it is refused for
	}{
		{"loopback", "127.0.0.1:1", nil, nil},
		{"loopback by another address", "127.8.8.8:1", nil, nil},
		{"loopback of IPv6", "[::1]:1", nil, nil},
		{"loopback of IPv4 in IPv6", "[::ffff:127.0.0.1]:1", nil, nil},
		{"loopback by name", "localhost:1", nil, nil},
		{"a socket", "unix:///run/verdict.sock", nil, nil},
		{"everywhere", ":1", nil, []string{noTLS, noCallers}},
		{"everywhere of IPv4", "0.0.0.0:1", nil, []string{noTLS, noCallers}},
		{"everywhere of IPv6", "[::]:1", nil, []string{noTLS, noCallers}},
		{"an address", "10.0.0.7:1", nil, []string{noTLS, noCallers}},
		{"a name that looks like loopback", "127.0.0.1.example:1", nil, []string{noTLS, noCallers}},
		{"with TLS", ":1", []func(*config){withTLS}, []string{noCallers}},
		{"with callers", ":1", []func(*config){withCallers}, []string{noTLS}},
		{"with both", ":1", []func(*config){withTLS, withCallers}, nil},
		{"with both, and anyone let in", ":1", []func(*config){withTLS, withCallers, anonymous}, []string{noCallers}},
		{"with plaintext let be", ":1", []func(*config){plaintext}, []string{noCallers}},
		{"with anyone let be", ":1", []func(*config){anyone}, []string{noTLS}},
		{"with both let be", ":1", []func(*config){plaintext, anyone}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, field := range []string{"grpc.address", "http.address"} {
				cfg := defaultConfig()
				for _, change := range tt.changes {
					change(&cfg)
				}
				if field == "grpc.address" {
					cfg.GRPC.Address = tt.address
				} else {
					cfg.HTTP.Address = tt.address
				}
				err := cfg.validate()
				if len(tt.want) == 0 {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				for _, want := range tt.want {
					if err == nil || !strings.Contains(err.Error(), field) || !strings.Contains(err.Error(), want) {
						t.Errorf("error = %v, want %s: … %s", err, field, want)
					}
				}
				if err != nil && strings.Count(err.Error(), "is beyond loopback") != len(tt.want) {
					t.Errorf("error = %v, want no more than %q", err, tt.want)
				}
			}
		})
	}
}

func TestHostsOnLoopback(t *testing.T) {
	cfg := defaultConfig()
	cfg.HTTP.PublicURL, cfg.HTTP.Hosts = "https://Pdp.example.com/authz", []string{"verdict", "fd00::7"}
	meant := cfg.meantFor()
	for host, want := range map[string]bool{
		"127.0.0.1:8182": true, "127.0.0.1": true, "localhost:8182": true, "LOCALHOST": true, "[::1]:8182": true, "[::1]": true,
		"pdp.example.com": true, "pdp.example.com:443": true, "verdict": true, "[fd00::7]:8182": true, "": true,
		"evil.example": false, "evil.example:8182": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
		"10.0.0.7:8182": false, "0.0.0.0:8182": false, "pdp.example.com.evil.example": false, "localhost:8182:8182": false, "evil.example#localhost": false,
	} {
		if got := meant(host); got != want {
			t.Errorf("Host %q: %t, want %t", host, got, want)
		}
	}
	known, _ := oneToken()
	secured, open := defaultConfig(), defaultConfig()
	secured.TLS = tlsConfig{Cert: "c", Key: "k"}
	open.HTTP.Address = "unix:///run/http.sock"
	for name, cfg := range map[string]config{"callers": known, "TLS": secured, "a socket": open} {
		if cfg.meantFor() != nil {
			t.Errorf("with %s, hosts are looked at", name)
		}
	}
	known.Callers.Anonymous = "check"
	if known.meantFor() == nil {
		t.Error("where nobody need be known, hosts are not looked at")
	}
}

// What a page of another site asks the browser for reaches no path of the server.
func TestRequestsUnderAnotherHostAreRefused(t *testing.T) {
	s, _ := startService(t, defaultConfig(), bundleAt("default", constantBundle(t)))
	for _, path := range []string{"/access/v1/evaluation", "/healthz", "/readyz", "/metrics", "/nowhere"} {
		for host, want := range map[string]bool{"evil.example": true, "localhost": false} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.httpListener.Addr().String()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = host
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if got := response.StatusCode == http.StatusMisdirectedRequest; got != want {
				t.Errorf("%s under the host %s: %s", path, host, response.Status)
			}
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestSocketsAreMadeAsConfigured(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes do not say who can reach a socket")
	}
	for _, mode := range []fileMode{0o600, 0o660, 0o666} {
		sockets := defaultSockets()
		sockets.Mode = mode
		path := filepath.Join(t.TempDir(), "s")
		listener, err := openListener(unixPrefix+path, sockets)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != fs.FileMode(mode) {
			t.Errorf("mode = %v, %v, want %o", info.Mode(), err, mode)
		}
		listener.Close()
	}
	var read fileMode
	for text, want := range map[string]bool{"0660": true, "600": true, "0888": false, "rw": false, "01777": false, "": false} {
		if err := read.UnmarshalText([]byte(text)); (err == nil) != want {
			t.Errorf("mode %q: %v", text, err)
		}
	}
}
