package authzen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/pdp"
)

const readRecord = `{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`

func TestWhatIsNoDecision(t *testing.T) {
	const limit = pdp.DefaultInputBytes + envelopeBytes
	long := `{"subject":{"type":"user","id":"` + strings.Repeat("a", limit) + `"}}`
	tests := []struct {
		name, method, path, contentType, body string
		wantStatus                            int
		wantKind, wantMessage                 string
	}{
		{"an unknown path", "POST", "/access/v1/evaluate", "application/json", readRecord, 404, "not_found", "/access/v1/evaluations"},
		{"a tenant without a path", "POST", "/tenants/blue", "application/json", readRecord, 404, "not_found", "/tenants/{tenant}"},
		{"another method", "GET", "/access/v1/evaluation", "", "", 405, "invalid", "expected POST"},
		{"a method without end", strings.Repeat("A", 10_000), "/access/v1/evaluation", "", "", 405, "invalid", "… cannot be done here"},
		{"a write to the health", "POST", "/healthz", "application/json", "{}", 405, "invalid", "expected GET or HEAD"},
		{"no content type", "POST", "/access/v1/evaluation", "", readRecord, 400, "invalid", "expected application/json"},
		{"another content type", "POST", "/access/v1/evaluation", "text/plain", readRecord, 400, "invalid", `"text/plain"`},
		{"another charset", "POST", "/access/v1/evaluation", "application/json; charset=latin1", readRecord, 400, "invalid", "UTF-8"},
		{"a body over the limit", "POST", "/access/v1/evaluation", "application/json", long, 413, "limit_exceeded", fmt.Sprintf("%d bytes", limit)},
		{"an empty body", "POST", "/access/v1/evaluation", "application/json", "", 400, "invalid", "the body is empty"},
		{"an empty batch of nothing", "POST", "/access/v1/evaluations", "application/json", "", 400, "invalid", "the body is empty"},
	}
	handler := newHandler(allowReads)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			if tt.contentType != "" {
				request.Header.Set("Content-Type", tt.contentType)
			}
			response := httptest.NewRecorder()
			handler.ServeHTTP(response, request)
			failed := failureIn(t, response)
			if response.Code != tt.wantStatus || failed.Status != tt.wantStatus {
				t.Errorf("status = %d, in the body %d, want %d", response.Code, failed.Status, tt.wantStatus)
			}
			if failed.Kind != tt.wantKind {
				t.Errorf("kind = %q, want %q", failed.Kind, tt.wantKind)
			}
			if !strings.Contains(failed.Message, tt.wantMessage) {
				t.Errorf("message = %q, want it to contain %q", failed.Message, tt.wantMessage)
			}
		})
	}
}

// TestMethodsOfEachPath asks each path by every method but its own.
func TestMethodsOfEachPath(t *testing.T) {
	handler := newOpen(Options{
		Decider: allowReads, Searcher: searchFunc(nil), Planner: planFunc(nil), Ready: func() error { return nil }, Logger: zap.NewNop(),
	})
	allowed := map[string]string{wellKnown: "GET, HEAD", wellKnown + "/tenants/blue": "GET, HEAD", "/healthz": "GET, HEAD", "/readyz": "GET, HEAD"}
	for _, path := range []string{evaluationPath, evaluationsPath, searchSubjectPath, searchResourcePath, searchActionPath, planPath} {
		allowed[path], allowed["/tenants/blue"+path] = "POST", "POST"
	}
	for path, want := range allowed {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY", "post"} {
			if strings.Contains(want, method) {
				continue
			}
			request := httptest.NewRequest(method, path, strings.NewReader(readRecord))
			request.Header.Set("Content-Type", "application/json")
			response := httptest.NewRecorder()
			handler.ServeHTTP(response, request)
			if got := response.Header().Get("Allow"); response.Code != http.StatusMethodNotAllowed || got != want {
				t.Errorf("%s %s: status %d, Allow %q, want 405 and %q", method, path, response.Code, got, want)
			}
		}
	}
}

func TestErrorsOfTheDecider(t *testing.T) {
	tests := []struct {
		name       string
		err        error
		wantStatus int
		want       failureBody
	}{
		{"an unknown tenant", authz.Errorf(authz.NotFound, "unknown tenant"), 404,
			failureBody{Status: 404, Kind: "not_found", Message: "unknown tenant"}},
		{"a missing field", authz.InvalidField("subject.type", "is missing"), 400,
			failureBody{Status: 400, Kind: "invalid", Message: "subject.type: is missing", Violations: []violation{{"subject.type", "is missing"}}}},
		{"a server that is not ready", authz.Errorf(authz.Unavailable, "no policy is active"), 503,
			failureBody{Status: 503, Kind: "unavailable", Message: "no policy is active"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handler := newHandler(decideFunc(func(*authz.Request) (authz.Decision, error) { return authz.Decision{}, tt.err }))
			response := post(t, handler, "/access/v1/evaluation", readRecord)
			if response.Code != tt.wantStatus {
				t.Errorf("status = %d, want %d", response.Code, tt.wantStatus)
			}
			if diff := cmp.Diff(tt.want, failureIn(t, response)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhenToTryAgainIsTold(t *testing.T) {
	for after, want := range map[time.Duration]string{
		0: "", time.Millisecond: "1", time.Second: "1", time.Second + time.Nanosecond: "2",
	} {
		response := post(t, newHandler(decideFunc(func(*authz.Request) (authz.Decision, error) {
			return authz.Decision{}, &authz.Error{Kind: authz.Overloaded, Message: "too much", RetryAfter: after}
		})), "/access/v1/evaluation", `{"subject":{"type":"user","id":"mina"},"action":{"name":"read"},"resource":{"type":"record","id":"p"}}`)
		if response.Code != http.StatusTooManyRequests {
			t.Errorf("status %d, want 429", response.Code)
		}
		if got := response.Header().Get("Retry-After"); got != want {
			t.Errorf("again after %v: Retry-After is %q, want %q", after, got, want)
		}
	}
}

func TestRequestsAreRefusedUnreadWhileThereAreTooMany(t *testing.T) {
	door := admission.NewDoor(admission.DoorOptions{Tenants: map[string]int{authz.DefaultTenant: 1, "blue": 1}})
	for range 1_000_000 {
		if _, err := door.Arrive(door.Of(authz.DefaultTenant), false); err != nil {
			break
		}
	}
	proxies := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	handler := newOpen(Options{
		Decider: allowReads, Admission: door, Ready: func() error { return nil }, Logger: zap.NewNop(),
		Further:    map[string]http.Handler{"/proxy/{proxy}": proxies, "/tenants/{tenant}/proxy/{proxy}": proxies, "GET /metrics": proxies},
		Operations: map[string]caller.Operation{"/proxy/{proxy}": caller.Check, "/tenants/{tenant}/proxy/{proxy}": caller.Check, "GET /metrics": caller.Metrics},
	})
	for path, want := range map[string]int{
		"/access/v1/evaluation": http.StatusTooManyRequests, "/access/v1/evaluations": http.StatusTooManyRequests,
		"/proxy/nginx":                       http.StatusTooManyRequests,
		"/tenants/blue/access/v1/evaluation": http.StatusOK, // which has its share
		"/tenants/blue/proxy/nginx":          http.StatusOK,
	} {
		response := post(t, handler, path, readRecord)
		if told := response.Header().Get("Retry-After"); response.Code != want || (told != "") != (want == http.StatusTooManyRequests) {
			t.Errorf("%s: status %d, Retry-After %q, want %d", path, response.Code, told, want)
		}
	}
}

// Requests that were answered, or refused, leave: otherwise those before would crowd out
// all that come after.
func TestRequestsLeave(t *testing.T) {
	newDoor := func() *admission.Door {
		return admission.NewDoor(admission.DoorOptions{Tenants: map[string]int{authz.DefaultTenant: 1}})
	}
	room := 0
	for crowded := newDoor(); ; room++ {
		if _, err := crowded.Arrive(crowded.Of(authz.DefaultTenant), false); err != nil {
			break
		}
		if room == 10_000 {
			t.Fatal("a door is never crowded")
		}
	}
	proxies := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	handler := newOpen(Options{
		Decider: allowReads, Admission: newDoor(), Ready: func() error { return nil }, Logger: zap.NewNop(),
		Further:    map[string]http.Handler{"/proxy/{proxy}": proxies},
		Operations: map[string]caller.Operation{"/proxy/{proxy}": caller.Check},
	})
	for _, sent := range []struct {
		path, body string
		want       int
	}{
		{"/proxy/nginx", "", http.StatusOK},
		{evaluationPath, readRecord, http.StatusOK},
		{evaluationPath, "{", http.StatusBadRequest},
		{"/access/v1/evaluations", "{", http.StatusBadRequest},
	} {
		for range room + 10 {
			if response := post(t, handler, sent.path, sent.body); response.Code != sent.want {
				t.Fatalf("%s: status %d, want %d", sent.path, response.Code, sent.want)
			}
		}
	}
}

func TestPanicIsAnInternalErrorAndTheNextRequestIsServed(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	panics := true
	handler := newOpen(Options{
		Decider: decideFunc(func(*authz.Request) (authz.Decision, error) {
			if panics {
				panic("secret state")
			}
			return authz.Decision{Allowed: true}, nil
		}),
		Ready:  func() error { return nil },
		Logger: zap.New(core),
	})
	request := httptest.NewRequest(http.MethodPost, evaluationPath, strings.NewReader(readRecord))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Request-ID", "4711")
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	failed := failureIn(t, response)
	if response.Code != http.StatusInternalServerError || failed.Kind != "internal" {
		t.Errorf("status = %d, kind %q, want 500 and internal", response.Code, failed.Kind)
	}
	if strings.Contains(failed.Message, "secret") {
		t.Errorf("the caller was told %q", failed.Message)
	}
	entries := logs.All()
	if len(entries) != 1 {
		t.Fatalf("%d log entries, want 1", len(entries))
	}
	logged := entries[0].ContextMap()
	if text, stack := fmt.Sprint(logged["error"]), fmt.Sprint(logged["stack"]); !strings.Contains(text, "secret state") || !strings.Contains(stack, "handler_test.go") {
		t.Errorf("the log does not hold both the panic and its stack: %s, %s", text, stack)
	}
	if id := fmt.Sprint(logged["request_id"]); id != "[4711]" {
		t.Errorf("the log has the request's id as %s", id)
	}
	if reference := fmt.Sprint(logged["reference"]); !strings.Contains(failed.Message, reference) {
		t.Errorf("the caller was told %q, the log has %q", failed.Message, reference)
	}

	panics = false
	if response := post(t, handler, "/access/v1/evaluation", readRecord); response.Code != http.StatusOK {
		t.Errorf("the next request: status %d, want 200", response.Code)
	}
}

func TestHealth(t *testing.T) {
	missing := errors.Join(
		errors.New("tenant blue has no active policy"),
		errors.Join(errors.New("tenant red has no active policy")),
	)
	tests := []struct {
		name, path string
		ready      error
		amiss      error
		wantStatus int
		want       health
	}{
		{"alive", "/healthz", nil, nil, 200, health{Status: "ok"}},
		{"alive though not ready", "/healthz", missing, nil, 200, health{Status: "ok"}},
		{"ready", "/readyz", nil, nil, 200, health{Status: "ready"}},
		{"ready, and something is amiss", "/readyz", nil, missing, 200,
			health{Status: "ready", Missing: []string{"tenant blue has no active policy", "tenant red has no active policy"}}},
		{"one thing missing", "/readyz", errors.New("the store is opening"), nil, 503,
			health{Status: "not ready", Missing: []string{"the store is opening"}}},
		{"several things missing", "/readyz", missing, nil, 503,
			health{Status: "not ready", Missing: []string{"tenant blue has no active policy", "tenant red has no active policy"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handler := newOpen(Options{Decider: allowReads, Ready: func() error { return tt.ready }, Amiss: func() error { return tt.amiss }, Logger: zap.NewNop()})
			response := httptest.NewRecorder()
			handler.ServeHTTP(response, httptest.NewRequest(http.MethodGet, tt.path, nil))
			if response.Code != tt.wantStatus {
				t.Errorf("status = %d, want %d", response.Code, tt.wantStatus)
			}
			var got health
			if err := json.Unmarshal(response.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

// failureIn is the error in a response.
func failureIn(t *testing.T, response *httptest.ResponseRecorder) failureBody {
	t.Helper()
	if got := response.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q, want application/json", got)
	}
	var body failure
	if err := json.Unmarshal(response.Body.Bytes(), &body); err != nil {
		t.Fatalf("the body is no JSON: %v\n%s", err, response.Body)
	}
	if body.Error.Status == 0 {
		t.Fatalf("the body has no error: %s", response.Body)
	}
	return body.Error
}

// FuzzHandler holds that every answer is a JSON object with a status that is meant, and
// with the id of its request.
func FuzzHandler(f *testing.F) {
	for _, path := range []string{evaluationPath, evaluationsPath, searchSubjectPath, searchResourcePath, searchActionPath, "/tenants/blue" + evaluationPath, wellKnown, "/"} {
		f.Add("POST", path, "application/json", "id", []byte(readRecord))
	}
	f.Add("GET", wellKnown+"/tenants/default", "", "", []byte{})
	f.Add("OPTIONS", "*", "", "id", []byte{})
	f.Add("CONNECT", "//../", "", "id", []byte{})
	f.Add("POST", searchSubjectPath, "application/json; charset=UTF-8", "\n", []byte(searchSubjects+`,"page":{"limit":3}}`))
	publicURL, err := ParsePublicURL("https://pdp.example.com/authz")
	if err != nil {
		f.Fatal(err)
	}
	handler := newOpen(Options{
		Decider: allowReads, Ready: func() error { return nil }, Logger: zap.NewNop(), PublicURL: publicURL,
		Searcher:  searchFunc(func(s pdp.Search) (pdp.Found, error) { return pdp.Found{IDs: []string{"a"}, Next: s.Token}, nil }),
		HasTenant: func(name string) bool { return name == "default" },
	})
	f.Fuzz(func(t *testing.T, method, path, contentType, id string, body []byte) {
		target, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		request := &http.Request{
			Method: method, URL: target, Host: "pdp.example.com", RequestURI: path, ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {contentType}, "X-Request-Id": {id}},
			Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		}
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		switch response.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
			if body := response.Body.Bytes(); !json.Valid(body) || body[0] != '{' || response.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%s %s is answered %d %q", method, path, response.Code, response.Body)
			}
		default:
			t.Errorf("%s %s is answered %d %s", method, path, response.Code, response.Body)
		}
		if len(id) > maxRequestIDBytes || strings.ContainsFunc(id, isControl) {
			id = ""
		}
		if got := response.Header().Get("X-Request-ID"); got != id {
			t.Errorf("X-Request-ID = %q, want %q", got, id)
		}
	})
}
