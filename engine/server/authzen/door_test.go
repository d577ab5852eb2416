package authzen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/caller"
)

// newGuarded is a handler with a token that it knows, whose caller the gate admits, and
// notes what it was asked.
func newGuarded(t *testing.T, admit admitFunc) (handler http.Handler, token string) {
	t.Helper()
	token = caller.NewToken()
	publicURL, err := ParsePublicURL("https://pdp.example.com")
	if err != nil {
		t.Fatal(err)
	}
	crm := authz.EntityRef{Type: "service", ID: "crm"}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, caller.From(r.Context())) })
	return New(Options{
		Decider: allowReads, Searcher: searchFunc(nil), Planner: planFunc(nil), Logger: zap.NewNop(),
		Ready: func() error {
			return errors.Join(errors.New("tenant blue has no policy"), errors.New("tenant red has none"))
		},
		Callers:    caller.New(caller.Options{Tokens: []caller.TokenHash{{Subject: crm, Hash: caller.HashOf(token)}}}),
		Gate:       admit,
		PublicURL:  publicURL,
		Further:    map[string]http.Handler{"/proxy": echo, "/tenants/{tenant}/proxy": echo, "/metrics": echo, "/forgotten": echo},
		Operations: map[string]caller.Operation{"/proxy": caller.Check, "/tenants/{tenant}/proxy": caller.Check, "/metrics": caller.Status},

		Credentials: map[string]string{"/tenants/{tenant}/proxy": "X-Verdict-Authorization"},
	}), token
}

// ask asks with an Authorization header, or without one where it is empty.
func ask(handler http.Handler, method, path, authorization, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	return response
}

// No path answers a stranger, by whatever method, nor a caller who may do nothing;
// metadata and health are anyone's to ask.
func TestNoPathAnswersStrangers(t *testing.T) {
	asked := ""
	handler, token := newGuarded(t, func(ctx context.Context, operation caller.Operation, tenant string) error {
		asked = fmt.Sprint(caller.From(ctx), " ", operation, " ", tenant)
		return authz.Errorf(authz.PermissionDenied, "service:crm may not")
	})
	tests := []struct {
		method, path string
		stranger     int
		known        int
		asked        string // of the gate, about the known one
	}{
		{"POST", "/access/v1/evaluation", 401, 403, "service:crm check default"},
		{"POST", "/tenants/blue/access/v1/evaluation", 401, 403, "service:crm check blue"},
		{"POST", "/tenants/nowhere/access/v1/evaluation", 401, 403, "service:crm check nowhere"},
		{"POST", "/access/v1/evaluations", 401, 403, "service:crm check default"},
		{"POST", "/access/v1/search/subject", 401, 403, "service:crm search default"},
		{"POST", "/tenants/blue/access/v1/search/resource", 401, 403, "service:crm search blue"},
		{"POST", "/access/v1/search/action", 401, 403, "service:crm search default"},
		{"POST", "/v1/plan/resources", 401, 403, "service:crm plan default"},
		{"GET", "/access/v1/evaluation", 401, 403, "service:crm check default"},
		{"OPTIONS", "/access/v1/evaluation", 401, 403, "service:crm check default"},
		{"GET", "/proxy", 401, 403, "service:crm check default"},
		{"GET", "/tenants/blue/proxy", 401, 401, ""}, // by another header, see below
		{"GET", "/metrics", 401, 403, "service:crm status "},
		{"GET", "/forgotten", 401, 403, ""},
		{"GET", "/", 401, 404, ""},
		{"GET", "/nowhere", 401, 404, ""},
		{"POST", "//access/v1/evaluation", 401, 404, ""},
		{"GET", "/.well-known/authzen-configuration", 200, 200, ""},
		{"GET", "/healthz", 200, 200, ""},
		{"GET", "/readyz", 503, 503, "service:crm status "},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			response := ask(handler, tt.method, tt.path, "", readRecord)
			if challenge := response.Header().Get("WWW-Authenticate"); response.Code != tt.stranger || tt.stranger == 401 && challenge != `Bearer realm="verdict"` {
				t.Errorf("a stranger is answered %d, WWW-Authenticate %q: want %d", response.Code, challenge, tt.stranger)
			}
			if text := response.Body.String(); strings.Contains(text, "blue has") {
				t.Errorf("a stranger is told %s", text)
			}
			asked = ""
			response = ask(handler, tt.method, tt.path, "Bearer "+token, readRecord)
			if response.Code != tt.known || asked != tt.asked {
				t.Errorf("a caller is answered %d, and the gate asked %q: want %d and %q", response.Code, asked, tt.known, tt.asked)
			}
		})
	}
	t.Run("a wrong token", func(t *testing.T) {
		response := ask(handler, "POST", "/access/v1/evaluation", "Bearer "+token+"0", readRecord)
		if challenge := response.Header().Get("WWW-Authenticate"); response.Code != 401 || challenge != `Bearer realm="verdict", error="invalid_token"` {
			t.Errorf("status %d, WWW-Authenticate %q", response.Code, challenge)
		}
	})
	t.Run("a body is not read for a stranger", func(t *testing.T) {
		body := &countingReader{}
		request := httptest.NewRequest("POST", "/access/v1/evaluations", body)
		request.Header.Set("Content-Type", "application/json")
		handler.ServeHTTP(httptest.NewRecorder(), request)
		if body.reads > 0 {
			t.Errorf("%d reads", body.reads)
		}
	})
}

type countingReader struct{ reads int }

func (r *countingReader) Read([]byte) (int, error) {
	r.reads++
	return 0, io.ErrUnexpectedEOF
}

func TestCallersWhoMay(t *testing.T) {
	handler, token := newGuarded(t, func(context.Context, caller.Operation, string) error { return nil })
	for path, want := range map[string]string{
		"/access/v1/evaluation": `"decision":true`,
		"/proxy":                "service:crm",
		"/readyz":               "tenant blue has no policy",
	} {
		method := "GET"
		if strings.HasPrefix(path, "/access") {
			method = "POST"
		}
		if got := ask(handler, method, path, "Bearer "+token, readRecord).Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// A proxy passes on the Authorization of the request that it asks about, and shows who it
// is itself in a header of its own.
func TestCallersThatSpeakForOthers(t *testing.T) {
	handler, token := newGuarded(t, func(context.Context, caller.Operation, string) error { return nil })
	for _, tt := range []struct {
		name, own, passedOn string
		want                int
	}{
		{"both", "Bearer " + token, "Bearer of-a-client", 200},
		{"its own alone", "Bearer " + token, "", 200},
		{"that of another alone", "", "Bearer " + token, 401},
		{"a wrong one", "Bearer x", "Bearer " + token, 401},
	} {
		request := httptest.NewRequest("GET", "/tenants/blue/proxy", nil)
		for name, value := range map[string]string{"X-Verdict-Authorization": tt.own, "Authorization": tt.passedOn} {
			if value != "" {
				request.Header.Set(name, value)
			}
		}
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		if response.Code != tt.want {
			t.Errorf("%s: status %d, want %d", tt.name, response.Code, tt.want)
		}
	}
}

// TestProcessesAtASocket holds that the process at a Unix socket is known over HTTP.
func TestProcessesAtASocket(t *testing.T) {
	self := uint32(os.Geteuid())
	var called caller.Caller
	handler := New(Options{
		Decider: allowReads, Logger: zap.NewNop(),
		Callers: caller.New(caller.Options{Peers: []caller.PeerRule{{UID: &self, Subject: authz.EntityRef{Type: "service", ID: "app"}}}}),
		Gate: admitFunc(func(ctx context.Context, _ caller.Operation, _ string) error {
			called = caller.From(ctx)
			return nil
		}),
	})
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ConnContext: ConnContext}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() { server.Close(); <-served }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", listener.Addr().String())
	}}}
	response, err := client.Post("http://localhost/access/v1/evaluation", "application/json", strings.NewReader(readRecord))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if want := (caller.Caller{Subject: authz.EntityRef{Type: "service", ID: "app"}, Method: caller.Peer, Address: "unix"}); response.StatusCode != 200 || called != want {
		t.Errorf("status %d, caller %+v, want %+v", response.StatusCode, called, want)
	}
}

// A browser that another site has sent here under its own name is refused.
func TestRequestsForOthersAreRefused(t *testing.T) {
	decided := 0
	handler := newOpen(Options{
		Logger: zap.NewNop(), Ready: func() error { return nil }, MeantFor: func(host string) bool { return host == "localhost:8182" },
		Decider: decideFunc(func(*authz.Request) (authz.Decision, error) { decided++; return authz.Decision{}, nil }),
	})
	for host, want := range map[string]int{"localhost:8182": 200, "evil.example:8182": 421, "localhost": 421, "": 421} {
		request := httptest.NewRequest("POST", "/access/v1/evaluation", strings.NewReader(readRecord))
		request.Header.Set("Content-Type", "application/json")
		request.Host = host
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		if response.Code != want {
			t.Errorf("Host %q: status %d, want %d", host, response.Code, want)
		}
	}
	if decided != 1 {
		t.Errorf("%d requests were decided, want 1", decided)
	}
}
