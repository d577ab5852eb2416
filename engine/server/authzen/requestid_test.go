package authzen

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// TestRequestIDComesBackOnEveryAnswer asks for every kind of answer there is.
func TestRequestIDComesBackOnEveryAnswer(t *testing.T) {
	publicURL, err := ParsePublicURL("https://pdp.example.com")
	if err != nil {
		t.Fatal(err)
	}
	handler := newOpen(Options{
		Decider: decideFunc(func(request *authz.Request) (authz.Decision, error) {
			switch request.Subject.ID {
			case "panics":
				panic("x")
			case "fails":
				return authz.Decision{}, errors.New("x")
			}
			return authz.Decision{Allowed: true}, nil
		}),
		Ready: func() error { return errors.New("not yet") }, Logger: zap.NewNop(), PublicURL: publicURL, MaxInputBytes: 1,
		Further: map[string]http.Handler{"/proxy/{name}": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })},
	})
	tests := []struct {
		name, method, path, contentType, body string
		want                                  int
	}{
		{"a decision", "POST", evaluationPath, "application/json", readRecord, 200},
		{"decisions", "POST", evaluationsPath, "application/json", `{"evaluations":[` + readRecord + `]}`, 200},
		{"of a tenant", "POST", "/tenants/blue" + evaluationPath, "application/json", readRecord, 200},
		{"malformed JSON", "POST", evaluationPath, "application/json", `{`, 400},
		{"an empty body", "POST", evaluationPath, "application/json", "", 400},
		{"another content type", "POST", evaluationPath, "text/plain", readRecord, 400},
		{"a body too large", "POST", evaluationPath, "application/json", strings.Repeat(" ", 65<<10), 413},
		{"a failure", "POST", evaluationPath, "application/json", strings.Replace(readRecord, "alice", "fails", 1), 500},
		{"a panic", "POST", evaluationPath, "application/json", strings.Replace(readRecord, "alice", "panics", 1), 500},
		{"another method", "GET", evaluationPath, "", "", 405},
		{"an unknown path", "GET", "/nowhere", "", "", 404},
		{"a path with an empty segment", "POST", "//access/v1/evaluation", "application/json", readRecord, 404},
		{"a path of nothing but slashes", "GET", "//", "", "", 404},
		{"a path with a dot segment", "POST", "/access/v1/../v1/evaluation", "application/json", readRecord, 404},
		{"a path with a slash behind it", "POST", evaluationPath + "/", "application/json", readRecord, 404},
		{"a tenant without a name", "POST", "/tenants/" + evaluationPath, "application/json", readRecord, 404},
		{"all of the server", "OPTIONS", "*", "", "", 404},
		{"a tunnel", "CONNECT", "pdp.example.com:443", "", "", 404},
		{"a tunnel to an endpoint", "CONNECT", evaluationPath, "", "", 405},
		{"the endpoint's options", "OPTIONS", evaluationPath, "", "", 405},
		{"what another package serves", "GET", "/proxy/nginx", "", "", 403},
		{"nothing below what another package serves", "GET", "/proxy", "", "", 404},
		{"metadata", "GET", wellKnown, "", "", 200},
		{"metadata of no tenant", "GET", wellKnown + "/tenants/red", "", "", 404},
		{"health", "GET", "/healthz", "", "", 200},
		{"readiness", "GET", "/readyz", "", "", 503},
	}
	const id = "bfe9eb29 \u00e9\t{\"a\":'b'}"
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, sent := range []string{id, ""} {
				request := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
				if tt.contentType != "" {
					request.Header.Set("Content-Type", tt.contentType)
				}
				if sent != "" {
					request.Header.Set("X-Request-ID", sent)
				}
				response := httptest.NewRecorder()
				handler.ServeHTTP(response, request)
				if response.Code != tt.want {
					t.Errorf("status = %d, want %d: %s", response.Code, tt.want, response.Body)
				}
				if got := response.Header().Get("X-Request-ID"); got != sent {
					t.Errorf("X-Request-ID = %q, want it as it was sent, %q", got, sent)
				}
			}
		})
	}
}

func TestRequestIDAtItsLimits(t *testing.T) {
	tests := []struct {
		name string
		ids  []string
		want int
	}{
		{"the longest", []string{strings.Repeat("a", maxRequestIDBytes)}, 200},
		{"one byte more", []string{strings.Repeat("a", maxRequestIDBytes+1)}, 400},
		{"a line break", []string{"a\r\nSet-Cookie: b"}, 400},
		{"a NUL", []string{"a\x00"}, 400},
		{"the last of the control characters", []string{"a\x7f"}, 400},
		{"two, of which the first comes back", []string{"first", "second"}, 200},
		{"an empty one, as if there were none", []string{""}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodPost, evaluationPath, strings.NewReader(readRecord))
			request.Header.Set("Content-Type", "application/json")
			request.Header["X-Request-Id"] = tt.ids
			response := httptest.NewRecorder()
			newHandler(allowReads).ServeHTTP(response, request)
			if response.Code != tt.want {
				t.Fatalf("status = %d, want %d: %s", response.Code, tt.want, response.Body)
			}
			var want []string
			if tt.want == 200 && tt.ids[0] != "" {
				want = tt.ids[:1]
			}
			if got := response.Header()["X-Request-Id"]; strings.Join(got, "|") != strings.Join(want, "|") {
				t.Errorf("X-Request-ID = %q, want %q", got, want)
			}
			if tt.want == 400 {
				if failed := failureIn(t, response); !strings.Contains(failed.Message, "at most 1024 bytes") {
					t.Errorf("error = %+v", failed)
				}
			}
		})
	}
}
