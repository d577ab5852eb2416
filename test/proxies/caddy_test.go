package proxies

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/standard"
)

const policy = `package authz

import rego.v2

default allow := false

allow if {
	input.action.name == "read"

	# What clients say about where they come from counts for nothing.
	input.context.address == "127.0.0.1"
	input.context.scheme == "http"
	input.context.host == "127.0.0.1"
}

# A header that is set for some, and must not be sent by others.
obligations.http.headers["x-user"] := "reader" if input.resource.id == "7"

obligations.http.status := 429 if input.action.name == "delete"

obligations.http.body := "slow down" if input.action.name == "delete"
`

const data = `{"http": {
	"routes": [{"path": "/patients/{id}", "type": "patient", "id": "{id}"}],
	"anonymous": {"type": "user", "id": "anonymous"}
}}`

// startVerdict builds the binary, serves a policy with it, and is its HTTP address.
func startVerdict(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "verdict")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/verdict")
	build.Dir = filepath.Join("..", "..")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building verdict: %v\n%s", err, output)
	}
	bundle := filepath.Join(dir, "bundle")
	if err := os.Mkdir(bundle, 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		filepath.Join(bundle, "authz.rego"): policy, filepath.Join(bundle, "data.json"): data,
		filepath.Join(dir, "verdict.yaml"): "forward_auth: {enabled: true, address_header: X-Forwarded-For, policy_headers: [x-user]}\nlimits: {evaluation: 10s}\ntenants: {default: {bundle: bundle}}\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := exec.CommandContext(t.Context(), binary, "serve", "--config", "verdict.yaml", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
	server.Dir = dir
	server.Cancel = func() error { return server.Process.Signal(syscall.SIGTERM) }
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Wait() })
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, HTTP string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return line.HTTP
		}
		t.Log(lines.Text())
	}
	t.Fatal("verdict did not start")
	return ""
}

// startCaddy runs Caddy with what the page shows, and is its address.
func startCaddy(t *testing.T, verdict, backend string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "proxies.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```caddyfile\n(.*?)```").FindSubmatch(page)
	if shown == nil {
		t.Fatal("the page shows no Caddyfile")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	file := "{\n\tadmin off\n\tpersist_config off\n}\n" + strings.NewReplacer(
		"127.0.0.1:8080", address, "127.0.0.1:8182", verdict, "127.0.0.1:8081", backend,
	).Replace(string(shown[1]))
	config, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(file), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(warnings)
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	})
	return address
}

// TestCaddy asks a backend through a real Caddy.
func TestCaddy(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %q", r.RequestURI, r.Header.Values("X-User"))
		if r.Header.Get("X-Verdict-Decision-Id") == "mine" {
			fmt.Fprint(w, " by root's decision")
		}
		for name := range r.Header {
			if strings.ContainsAny(name, "_.") {
				fmt.Fprintf(w, " and root's %s", name)
			}
		}
	}))
	defer backend.Close()
	address := startCaddy(t, startVerdict(t), backend.Listener.Addr().String())
	tests := []struct {
		name, request string
		status        int
		body          string // part of it
	}{
		{"what the policy allows", "GET /patients/7?full=1 HTTP/1.1", 200, `/patients/7?full=1 for ["reader"]`},
		{"a header that a client sends", "GET /patients/7 HTTP/1.1\r\nX-User: root", 200, `/patients/7 for ["reader"]`},
		{"a header that a client sends where the policy sets none", "GET /patients/8 HTTP/1.1\r\nX-User: root", 200, `/patients/8 for [""]`},
		{"what the policy denies", "POST /patients/7 HTTP/1.1", 403, "the policy does not allow this"},
		{"what it denies in its own way", "DELETE /patients/7 HTTP/1.1", 429, "slow down"},
		{"no route", "GET /doctors/7 HTTP/1.1", 403, "nothing is known"},
		{"a client that tells of another request", "DELETE /patients/7 HTTP/1.1\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /patients/8", 429, "slow down"},
		{"a client that tells of another host", "GET /patients/7 HTTP/1.1\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: b", 200, `/patients/7 for ["reader"]`},
		{"a client that tells of another address", "GET /patients/7 HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6", 200, `/patients/7 for ["reader"]`},
		{"a client that has the address left out", "GET /patients/7 HTTP/1.1\r\nConnection: X-Forwarded-For", 200, `/patients/7 for ["reader"]`},
		{"dots", "GET /public/../patients/7 HTTP/1.1", 400, "ends with a dot"},
		{"encoded dots", "GET /public/%2e%2e/patients/7 HTTP/1.1", 400, "ends with a dot"},
		{"an encoded slash", "GET /patients/8%2f7 HTTP/1.1", 400, "encoded slash"},
		{"encoded dots of either case", "GET /patients/8/%2E%2e/7 HTTP/1.1", 400, "ends with a dot"},
		{"dots at the end", "GET /patients/8/.. HTTP/1.1", 400, "ends with a dot"},
		{"dots and a semicolon", "GET /patients/8/..;/7 HTTP/1.1", 400, "semicolon"},
		{"a backslash", `GET /patients/8\..\7 HTTP/1.1`, 400, "backslash"},
		{"an encoded backslash", "GET /patients/8%5c..%5c7 HTTP/1.1", 400, "backslash"},
		{"an overlong dot", "GET /patients/%c0%ae%c0%ae/7 HTTP/1.1", 400, "no UTF-8"},
		{"encoded twice", "GET /patients/8%252f7 HTTP/1.1", 400, "encoded twice"},
		{"IIS's encoding", "GET /patients/%u002e%u002e/7 HTTP/1.1", 400, ""},
		{"a NUL", "GET /patients/7%00 HTTP/1.1", 400, "control character"},
		{"a full-width slash", "GET /patients%ef%bc%8f7 HTTP/1.1", 400, "U+FF0F"},
		{"raw bytes", "GET /patients/7\xff HTTP/1.1", 400, ""},
		{"an encoded question mark", "GET /patients/7%3fa HTTP/1.1", 400, "encoded ?"},
		{"a fragment", "GET /patients/7#/../8 HTTP/1.1", 400, ""},
		{"a path in the query", "GET /doctors?/patients/7 HTTP/1.1", 403, "nothing is known"},
		{"a long path", "GET /patients/" + strings.Repeat("7", 5000) + " HTTP/1.1", 400, "at most 4096"},
		{"a letter encoded without need", "GET /%70atients/7 HTTP/1.1", 200, `/%70atients/7 for ["reader"]`},
		{"an absolute target", "GET http://" + address + "/patients/7 HTTP/1.1", 200, `/patients/7 for ["reader"]`},
		{"an absolute target of what has no route", "GET http://" + address + "/doctors/7 HTTP/1.1", 403, "nothing is known"},
		// To which Caddy itself answers that there is no such site.
		{"an absolute target of another site", "GET http://other.example/patients/7 HTTP/1.1", 200, ""},
		{"a star", "OPTIONS * HTTP/1.1", 200, ""},
		{"an authority", "CONNECT other.example:80 HTTP/1.1", 200, ""},
		{"an authority that is the site's", "CONNECT " + address + " HTTP/1.1", 403, "nothing is known"},
		{"a method in small letters", "get /patients/7 HTTP/1.1", 403, "nothing is known"},
		{"a method that nobody knows", "BREW /patients/7 HTTP/1.1", 403, "nothing is known"},
		{"two slashes", "GET //patients/7 HTTP/1.1", 400, "two slashes"},
		{"a matrix parameter", "GET /patients/7;a=b HTTP/1.1", 400, "semicolon"},
		{"a header with an underscore", "GET /patients/7 HTTP/1.1\r\nX_User: root", 200, `/patients/7 for ["reader"]`},
		{"a header with a dot", "GET /patients/7 HTTP/1.1\r\nX.User: root", 200, `/patients/7 for ["reader"]`},
		{"what Caddy tells, with underscores", "GET /doctors HTTP/1.1\r\nX_Forwarded_Uri: /patients/7", 403, "nothing is known"},
		{"what Caddy tells, twice", "GET /doctors HTTP/1.1\r\nX-Forwarded-Uri: /patients/7\r\nX-Forwarded-Uri: /patients/7", 403, "nothing is known"},
		{"what Caddy tells, named by Connection", "GET /doctors HTTP/1.1\r\nConnection: X-Forwarded-Uri, X-Forwarded-Method", 403, "nothing is known"},
		{"what nginx tells", "GET /doctors HTTP/1.1\r\nX-Original-URI: /patients/7\r\nX-Original-Method: GET", 403, "nothing is known"},
		{"a decision that the client names", "GET /patients/7 HTTP/1.1\r\nX-Verdict-Decision-Id: mine", 200, `/patients/7 for ["reader"]`},
		{"the policy's header, named by Connection", "GET /patients/7 HTTP/1.1\r\nConnection: X-User", 200, `/patients/7 for ["reader"]`},
		{"a path in a header", "GET /patients/7 HTTP/1.1\r\nX-Original-URL: /patients/8", 400, "x-original-url"},
		{"a method in the query", "GET /patients/7?_method=DELETE HTTP/1.1", 400, "_method"},
		{"another method in a header", "GET /patients/7 HTTP/1.1\r\nX-HTTP-Method-Override: DELETE", 400, "x-http-method-override"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := ask(t, address, tt.request)
			if response.StatusCode != tt.status || !strings.Contains(body, tt.body) {
				t.Errorf("status %d, %q; want %d, %q", response.StatusCode, body, tt.status, tt.body)
			}
			if strings.Contains(body, " for [") != strings.Contains(tt.body, "for [") {
				t.Errorf("the backend is asked: %s", body)
			}
			if strings.Contains(body, "root") {
				t.Errorf("what the client sent reaches the backend: %s", body)
			}
		})
	}
}

// Without an answer nobody is let through.
func TestCaddyWithoutVerdict(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the backend is asked") }))
	defer backend.Close()
	nobody := httptest.NewServer(nil)
	nobody.Close()
	address := startCaddy(t, nobody.Listener.Addr().String(), backend.Listener.Addr().String())
	if response, body := ask(t, address, "GET /patients/7 HTTP/1.1"); response.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d: %s", response.StatusCode, body)
	}
}

// ask sends a request as it is written, which a client of Go's would not.
func ask(t *testing.T, address, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s\r\nHost: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", request, address); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(response.Body); err != nil {
		t.Fatal(err)
	}
	return response, body.String()
}
