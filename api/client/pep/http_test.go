package pep

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

// aboutThePath asks about what the last part of the path names.
func aboutThePath(r *http.Request) (authz.Request, error) {
	kind, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if kind != "records" {
		return authz.Request{}, ErrNoRequest
	}
	return requestAbout(id), nil
}

// tellMask answers with what the decision obliges to.
var tellMask = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	decision, is := DecisionFrom(r.Context())
	if !is {
		panic("there is no decision")
	}
	mask, _ := decision.Obligations["mask"].(string)
	_, _ = io.WriteString(w, "mask: "+mask)
})

func TestHTTP(t *testing.T) {
	handler := New(byID, WithObligations("mask")).Middleware(aboutThePath)(tellMask)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	for _, tt := range outcomes {
		t.Run(tt.id, func(t *testing.T) {
			w := get("/records/" + tt.id)
			wantCode, wantBody := http.StatusForbidden, tt.public+"\n"
			switch {
			case tt.id == "masked":
				wantCode, wantBody = http.StatusOK, "mask: salary"
			case tt.goes:
				wantCode, wantBody = http.StatusOK, "mask: "
			case tt.undecided:
				wantCode = http.StatusServiceUnavailable
			}
			if w.Code != wantCode || w.Body.String() != wantBody {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, wantCode, wantBody)
			}
			if got := w.Header().Get("Cache-Control"); (got == "no-store") == tt.goes {
				t.Errorf("Cache-Control: %s", got)
			}
		})
	}
	t.Run("a route that nothing is said about", func(t *testing.T) {
		if w := get("/elsewhere"); w.Code != http.StatusForbidden || w.Body.String() != "access denied\n" {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
	t.Run("no function at all", func(t *testing.T) {
		w := httptest.NewRecorder()
		New(byID, WithNotice(nil), WithBody(nil), WithStatus(nil)).Handler(nil, tellMask).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/records/allowed", nil))
		if w.Code != http.StatusForbidden {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
	t.Run("a path cannot write lines of the log", func(t *testing.T) {
		e := New(byID, WithNotice(func(_ context.Context, refusal *Refusal) {
			if text := refusal.Error(); strings.Contains(text, "\n") || !strings.Contains(text, "GET /records/%0adecision%20d1%20allows") {
				t.Errorf("noticed %q", text)
			}
		}))
		e.Handler(nil, tellMask).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/records/%0adecision%20d1%20allows", nil))
	})
}

func TestBodyOfARefusal(t *testing.T) {
	errNobody := errors.New("nobody is logged in")
	tests := []struct {
		name     string
		body     func(http.ResponseWriter, *http.Request, *Refusal)
		wantCode int
		wantBody string
	}{
		{"its own", func(w http.ResponseWriter, _ *http.Request, refusal *Refusal) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"decision":"`+refusal.Decision.ID+`"}`)
		}, http.StatusForbidden, `{"decision":""}`},
		{"none", func(http.ResponseWriter, *http.Request, *Refusal) {}, http.StatusForbidden, ""},
		{"its own code", func(w http.ResponseWriter, _ *http.Request, refusal *Refusal) {
			if errors.Is(refusal, errNobody) {
				w.Header().Set("WWW-Authenticate", "Bearer")
				w.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = io.WriteString(w, "who are you?")
		}, http.StatusUnauthorized, "who are you?"},
		{"something before it", func(w http.ResponseWriter, _ *http.Request, _ *Refusal) {
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "no")
		}, http.StatusForbidden, "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nobody := func(*http.Request) (authz.Request, error) { return authz.Request{}, errNobody }
			server := httptest.NewServer(New(byID, WithBody(tt.body)).Handler(nobody, tellMask))
			defer server.Close()
			response, err := server.Client().Get(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || response.StatusCode != tt.wantCode || string(body) != tt.wantBody {
				t.Errorf("%d %q %v, want %d %q", response.StatusCode, body, err, tt.wantCode, tt.wantBody)
			}
		})
	}
}
