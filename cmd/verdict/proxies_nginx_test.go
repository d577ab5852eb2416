package main

import (
	"bufio"
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
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// startNginx runs a real nginx by the configuration that docs/proxies.md shows, and is
// its address.
func startNginx(t *testing.T, verdict, backend string) string {
	t.Helper()
	if usage, err := exec.Command("nginx", "-V").CombinedOutput(); err != nil || !strings.Contains(string(usage), "http_auth_request_module") {
		t.Skip("there is no nginx with auth_request: install Debian's (apt-get install nginx) to have it tried")
	}
	ports := freePorts(t, 2)
	dir := t.TempDir()
	// nginx's workers may run as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "nginx.conf"), strings.NewReplacer(
		"127.0.0.1:8080", ports[0], "127.0.0.1:8182", verdict, "http://127.0.0.1:8081", "http://"+backend, "127.0.0.1:8081", ports[1],
	).Replace(pageFile(t, "nginx.conf")))
	nginx := exec.Command("nginx", "-p", dir, "-c", "nginx.conf", "-e", "nginx.log", "-g", "daemon off;")
	if err := nginx.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = nginx.Process.Signal(syscall.SIGTERM)
		_ = nginx.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "nginx.log"))
			t.Logf("nginx.log:\n%s", text)
		}
	})
	for range 100 {
		if conn, err := net.Dial("tcp", ports[0]); err == nil {
			conn.Close()
			return ports[0]
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("nginx does not listen")
	return ""
}

// pageFile is a file as docs/proxies.md shows it.
func pageFile(t *testing.T, name string) string {
	t.Helper()
	for _, block := range blocksOf(nginxChapter(t)) {
		if block.file == name {
			return block.text
		}
	}
	t.Fatalf("the page has no %s", name)
	return ""
}

// startClinic serves the page's policy, for nginx alone.
func startClinic(t *testing.T) *service {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{"clinic/directory.jsonl", "clinic/data.json", "clinic/authz.rego", "clinic/routes_test.rego", "verdict.yaml"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o700); err != nil {
			t.Fatal(err)
		}
		text := pageFile(t, file)
		if file == "clinic/authz.rego" {
			// What clients say about where they come from counts for nothing.
			text = strings.Replace(text, "\tinput.action.name == \"read\"\n",
				"\tinput.action.name == \"read\"\n\tinput.context.address == \"127.0.0.1\"\n\tinput.context.scheme == \"http\"\n", 1)
		}
		write(t, filepath.Join(dir, file), text)
	}
	cfg, err := loadConfig(filepath.Join(dir, "verdict.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Limits.Evaluation = unhurriedEvaluation
	cfg.Tenants[authz.DefaultTenant] = tenantConfig{Bundle: filepath.Join(dir, "clinic"), Package: "authz"}
	s, r := startService(t, cfg, bundleAt(authz.DefaultTenant, cfg.Tenants[authz.DefaultTenant]))
	if code, output := runLine(t, "verdict import --server "+r.server+" "+filepath.Join(dir, "clinic/directory.jsonl")); code != exitOK {
		t.Fatal(output)
	}
	return s
}

// TestNginxIsNotFooled sends what an attacker would through a real nginx: what a
// backend then serves is what was decided, or else nothing.
func TestNginxIsNotFooled(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s user %q decision %t", r.Method, r.RequestURI, r.Header.Values("X-User"), r.Header.Get("X-Verdict-Decision-Id") != "mine")
		for name := range r.Header {
			if strings.ContainsAny(name, "_.") {
				fmt.Fprintf(w, " and %s", name)
			}
		}
	}))
	defer backend.Close()
	nginx := startNginx(t, startClinic(t).httpListener.Addr().String(), backend.Listener.Addr().String())
	mina := "Authorization: Bearer " + regexp.MustCompile(`MINA=(\S+)`).FindStringSubmatch(nginxChapter(t))[1]
	get := func(target string, headers ...string) string {
		return "GET " + target + " HTTP/1.1\r\nHost: clinic.example\r\n" + strings.Join(append([]string{mina}, headers...), "\r\n")
	}
	const served = `GET /patients/7 user ["mina"] decision true`
	tests := []struct {
		name, request string
		status        int
		body          string // the backend's; empty where it is not asked
	}{
		{"what is allowed", get("/patients/7"), 200, served},
		{"what is not", get("/patients/8"), 403, ""},
		{"a letter encoded without need", get("/%70atients/7"), 200, `GET /%70atients/7 user ["mina"] decision true`},
		{"a slash at the end", get("/patients/7/"), 200, `GET /patients/7/ user ["mina"] decision true`},

		{"dots", get("/patients/8/../7"), 403, ""},
		{"dots to what is not allowed", get("/patients/7/../8"), 403, ""},
		{"dots out of a public place", get("/public/..%2fpatients/7"), 403, ""},
		{"encoded dots", get("/patients/8/%2e%2E/7"), 403, ""},
		{"dots at the end", get("/patients/7/.."), 403, ""},
		{"a dot at the end", get("/patients/7/."), 403, ""},
		{"dots and a semicolon", get("/patients/8/..;/7"), 403, ""},
		{"a matrix parameter", get("/patients/7;a=b"), 403, ""},
		{"an encoded slash", get("/patients%2f7"), 403, ""},
		{"an encoded backslash", get("/patients/8%5c..%5c7"), 403, ""},
		{"a backslash", get(`/patients/8\..\7`), 403, ""},
		{"slashes", get("/patients//7"), 403, ""},
		{"slashes at the start", get("//patients/7"), 403, ""},
		{"an overlong dot", get("/patients/8/%c0%ae%c0%ae/7"), 403, ""},
		{"encoded twice", get("/patients/8%252f..%252f7"), 403, ""},
		{"IIS's encoding", get("/patients/8/%u002e%u002e/7"), 400, ""},
		{"a NUL", get("/patients/7%00"), 400, ""},
		{"a full-width slash", get("/patients%ef%bc%8f7"), 403, ""},
		{"an encoded question mark", get("/patients/7%3f/../8"), 403, ""},
		{"a fragment", get("/patients/7#/../8"), 403, ""},
		{"a fragment in the query", get("/patients/7?a=b#c"), 403, ""},
		{"a path in the query", get("/patients/8?/patients/7"), 403, ""},
		{"a long path", get("/patients/" + strings.Repeat("7", 5000)), 403, ""},
		{"a path in other letters", get("/Patients/7"), 403, ""},
		{"raw bytes", get("/patients/7\xff"), 403, ""},

		{"an absolute target", get("http://other.example/patients/7"), 200, served},
		{"an absolute target of what is not allowed", get("http://clinic.example/patients/8"), 403, ""},
		{"an absolute target without a path", get("http://clinic.example?/patients/7"), 403, ""},
		{"a target without a slash", get("patients/7"), 400, ""},
		{"a star", strings.Replace(get("*"), "GET", "OPTIONS", 1), 400, ""},
		{"an authority", strings.Replace(get("clinic.example:80"), "GET", "CONNECT", 1), 400, ""},
		{"what asks Verdict", get("/_verdict"), 404, ""},
		{"what asks Verdict, encoded", get("/%5fverdict"), 404, ""},
		{"no host", "GET /patients/7 HTTP/1.0\r\n" + mina, 403, ""},
		{"two hosts", get("/patients/7", "Host: other.example"), 400, ""},

		{"HEAD", strings.Replace(get("/patients/8"), "GET", "HEAD", 1), 403, ""},
		{"a method in small letters", strings.Replace(get("/patients/7"), "GET", "get", 1), 400, ""},
		{"a method that the policy denies", strings.Replace(get("/patients/7"), "GET", "DELETE", 1), 403, ""},
		{"a method that nobody knows", strings.Replace(get("/patients/7"), "GET", "BREW", 1), 403, ""},
		{"a method in a header", get("/patients/7", "X-HTTP-Method-Override: DELETE"), 403, ""},
		{"a method in another header", get("/patients/7", "X-Method-Override: DELETE"), 403, ""},
		{"a method in the query", get("/patients/7?_method=DELETE"), 403, ""},
		{"a path in a header", get("/patients/7", "X-Original-URL: /patients/8"), 403, ""},
		{"another path in a header", get("/patients/7", "X-Rewrite-URL: /patients/8"), 403, ""},

		{"what nginx tells", get("/patients/8", "X-Original-URI: /patients/7", "X-Original-Method: HEAD", "X-Original-Host: a", "X-Original-Scheme: https"), 403, ""},
		{"what nginx tells, with underscores", get("/patients/8", "X_Original_URI: /patients/7"), 403, ""},
		{"what other proxies tell", get("/patients/8", "X-Forwarded-Uri: /patients/7", "X-Forwarded-Method: GET"), 403, ""},
		{"what nginx tells, named by Connection", get("/patients/8", "Connection: X-Original-URI, X-Real-IP"), 403, ""},
		{"an address", get("/patients/7", "X-Real-IP: 6.6.6.6", "X-Forwarded-For: 6.6.6.6", "Forwarded: for=6.6.6.6"), 200, served},
		{"an address, named by Connection", get("/patients/7", "Connection: X-Real-IP"), 200, served},
		{"a scheme and a host", get("/patients/7", "X-Forwarded-Proto: https", "X-Forwarded-Host: b", "X-Original-Scheme: https"), 200, served},
		{"the user", get("/patients/7", "X-User: root", "x-user: admin"), 200, served},
		{"the user, with an underscore", get("/patients/7", "X_User: root"), 200, served},
		{"the user, with a dot", get("/patients/7", "X.User: root"), 200, served},
		{"the user, named by Connection", get("/patients/7", "Connection: X-User"), 200, served},
		{"the decision", get("/patients/7", "X-Verdict-Decision-Id: mine"), 200, served},
		{"a certificate", "GET /patients/7 HTTP/1.1\r\nHost: a\r\nX-Forwarded-Client-Cert: By=spiffe://clinic/mina\r\nX-Client-Name: mina", 401, ""},

		{"no token", "GET /patients/7 HTTP/1.1\r\nHost: a", 401, ""},
		{"a token with more behind it", get("/patients/7") + ",", 401, ""},
		{"a tab in the place of the space", strings.Replace(get("/patients/7"), "Bearer ", "Bearer\t", 1), 401, ""},
		{"two spaces", strings.Replace(get("/patients/7"), "Bearer ", "Bearer  ", 1), 401, ""},
		{"a scheme in other letters", strings.Replace(get("/patients/7"), "Bearer ", "bEARER ", 1), 200, served},
		{"another scheme", strings.Replace(get("/patients/7"), "Bearer ", "Basic ", 1), 401, ""},
		{"a second token", get("/patients/7", "Authorization: Bearer x"), 400, ""},
		{"a token in the query", "GET /patients/7?access_token=" + strings.TrimPrefix(mina, "Authorization: Bearer ") + " HTTP/1.1\r\nHost: a", 401, ""},
		{"a token in a proxy's header", "GET /patients/7 HTTP/1.1\r\nHost: a\r\nProxy-" + mina, 401, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, body := askRaw(t, nginx, tt.request+"\r\nConnection: close\r\n\r\n")
			if status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, body)
			}
			if told := !strings.HasPrefix(body, "<html>") && body != ""; told && body != tt.body || !told && tt.body != "" {
				t.Errorf("the backend was asked %s, want %q", body, tt.body)
			}
		})
	}
}

// Without an answer nobody is let through.
func TestNginxWithoutVerdict(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the backend is asked") }))
	defer backend.Close()
	nginx := startNginx(t, freePorts(t, 1)[0], backend.Listener.Addr().String())
	if status, _ := askRaw(t, nginx, "GET /patients/7 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); status != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", status)
	}
}

// askRaw sends a request as it is written, which a client of Go's would not.
func askRaw(t *testing.T, address, request string) (status int, body string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
