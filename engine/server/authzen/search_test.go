package authzen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A searchFunc searches by a function.
type searchFunc func(pdp.Search) (pdp.Found, error)

func (f searchFunc) Search(_ context.Context, s pdp.Search) (pdp.Found, error) { return f(s) }

func searchHandler(search searchFunc, leaveOut Members) http.Handler {
	return newOpen(Options{
		Decider: allowReads, Searcher: search, Ready: func() error { return nil }, Logger: zap.NewNop(), LeaveOut: leaveOut,
	})
}

func TestSearch(t *testing.T) {
	alice := authz.Subject{Type: "user", ID: "alice"}
	read := authz.Action{Name: "read"}
	record := authz.Resource{Type: "record", ID: "record-1"}
	tests := []struct {
		name, path, body string
		want             pdp.Search
		wantResults      string
	}{
		{
			"subjects", searchSubjectPath,
			`{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`,
			pdp.Search{For: pdp.Subjects, Request: &authz.Request{Tenant: "default", Subject: authz.Subject{Type: "user"}, Action: read, Resource: record}},
			`[{"type":"user","id":"a"},{"type":"user","id":"b"}]`,
		},
		{
			"subjects, of a tenant, with an id that is ignored whatever it is",
			"/tenants/blue" + searchSubjectPath,
			`{"subject":{"id":{"a":[7]},"type":"user","properties":{"role":"admin"}},"action":{"name":"read","properties":{"soft":true}},
			  "resource":{"type":"record","id":"record-1","properties":{"size":1.50}},"context":{"ip":"10.0.0.7"},"future":[{}]}`,
			pdp.Search{For: pdp.Subjects, Request: &authz.Request{
				Tenant: "blue", Subject: authz.Subject{Type: "user", Properties: authz.Object{"role": "admin"}},
				Action:   authz.Action{Name: "read", Properties: authz.Object{"soft": true}},
				Resource: authz.Resource{Type: "record", ID: "record-1", Properties: authz.Object{"size": json.Number("1.50")}},
				Context:  authz.Object{"ip": "10.0.0.7"},
			}},
			`[{"type":"user","id":"a"},{"type":"user","id":"b"}]`,
		},
		{
			"resources, with an id that is ignored", searchResourcePath,
			`{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}`,
			pdp.Search{For: pdp.Resources, Request: &authz.Request{Tenant: "default", Subject: alice, Action: read, Resource: authz.Resource{Type: "record"}}},
			`[{"type":"record","id":"a"},{"type":"record","id":"b"}]`,
		},
		{
			"actions", searchActionPath,
			`{"subject":{"type":"user","id":"alice"},"resource":{"type":"record","id":"record-1"}}`,
			pdp.Search{For: pdp.Actions, Request: &authz.Request{Tenant: "default", Subject: alice, Resource: record}},
			`[{"name":"a"},{"name":"b"}]`,
		},
		{
			"actions, with an action that is ignored whatever it is", searchActionPath,
			`{"subject":{"type":"user","id":"alice"},"action":7,"resource":{"type":"record","id":"record-1"}}`,
			pdp.Search{For: pdp.Actions, Request: &authz.Request{Tenant: "default", Subject: alice, Resource: record}},
			`[{"name":"a"},{"name":"b"}]`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked pdp.Search
			handler := searchHandler(func(s pdp.Search) (pdp.Found, error) {
				asked = s
				return pdp.Found{IDs: []string{"a", "b"}, PolicyRevision: "p7", DirectoryRevision: 42, Method: pdp.ByIndex, Notes: []string{"n"}, Candidates: 9}, nil
			}, 0)
			response := post(t, handler, tt.path, tt.body)
			want := `{"context":{"policy_revision":"p7","directory_revision":42,"method":"index"},"results":` + tt.wantResults + `}`
			if got := strings.TrimSpace(response.Body.String()); response.Code != http.StatusOK || got != want {
				t.Errorf("status %d, body\n%s\nwant 200 and\n%s", response.Code, got, want)
			}
			if contentType := response.Header().Get("Content-Type"); contentType != "application/json" {
				t.Errorf("Content-Type = %q, want application/json", contentType)
			}
			if diff := cmp.Diff(tt.want, asked); diff != "" {
				t.Errorf("search (-want +got):\n%s", diff)
			}
		})
	}
}

const searchSubjects = `{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}`

func TestPages(t *testing.T) {
	tests := []struct {
		name, page string // what the body says besides
		found      pdp.Found
		wantLimit  int
		wantToken  string
		want       string
	}{
		{"all at once", "", pdp.Found{IDs: []string{"a"}}, 0, "", `{"results":[{"type":"user","id":"a"}]}`},
		{"nothing", "", pdp.Found{}, 0, "", `{"results":[]}`},
		{"more, though no page was asked for", "", pdp.Found{IDs: []string{"a"}, Next: "x"}, 0, "", `{"page":{"next_token":"x","count":1},"results":[{"type":"user","id":"a"}]}`},
		{"a first page", `,"page":{"limit":1}`, pdp.Found{IDs: []string{"a"}, Next: "x"}, 1, "", `{"page":{"next_token":"x","count":1},"results":[{"type":"user","id":"a"}]}`},
		{"the last page", `,"page":{"token":"x"}`, pdp.Found{IDs: []string{"b", "c"}}, 0, "x", `{"page":{"next_token":"","count":2},"results":[{"type":"user","id":"b"},{"type":"user","id":"c"}]}`},
		{"a page of nothing, with another behind it", `,"page":{"limit":2,"token":"x"}`, pdp.Found{Next: "y"}, 2, "x", `{"page":{"next_token":"y","count":0},"results":[]}`},
		{"what is no part of a page", `,"page":{"properties":{"sort":"id"},"total":true,"offset":-7}`, pdp.Found{}, 0, "", `{"page":{"next_token":"","count":0},"results":[]}`},
		{"members that are null", `,"page":{"limit":null,"token":null,"properties":null}`, pdp.Found{}, 0, "", `{"page":{"next_token":"","count":0},"results":[]}`},
		{"a page that is null", `,"page":null`, pdp.Found{}, 0, "", `{"results":[]}`},
		{"a limit of 0, as if there were none", `,"page":{"limit":0}`, pdp.Found{}, 0, "", `{"page":{"next_token":"","count":0},"results":[]}`},
		{"the largest limit", `,"page":{"limit":1000}`, pdp.Found{}, 1000, "", `{"page":{"next_token":"","count":0},"results":[]}`},
		{"an empty token, of the first page", `,"page":{"token":""}`, pdp.Found{}, 0, "", `{"page":{"next_token":"","count":0},"results":[]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked pdp.Search
			handler := searchHandler(func(s pdp.Search) (pdp.Found, error) {
				asked = s
				return tt.found, nil
			}, Revisions)
			response := post(t, handler, searchSubjectPath, searchSubjects+tt.page+`}`)
			if got := strings.TrimSpace(response.Body.String()); response.Code != http.StatusOK || got != tt.want {
				t.Errorf("status %d, body\n%s\nwant 200 and\n%s", response.Code, got, tt.want)
			}
			if asked.Limit != tt.wantLimit || asked.Token != tt.wantToken {
				t.Errorf("limit %d, token %q, want %d and %q", asked.Limit, asked.Token, tt.wantLimit, tt.wantToken)
			}
		})
	}
}

func TestRefusedSearches(t *testing.T) {
	tests := []struct {
		name, body, wantField, wantText string
	}{
		{"nothing", ``, "", "the body is empty"},
		{"a page that is a number", `{"page":7}`, "page", "is a number: expected an object"},
		{"a limit below 0", `{"page":{"limit":-1}}`, "page.limit", `"-1": expected a whole number from 0 to 1000`},
		{"a limit below 0 that counts as 0", `{"page":{"limit":-0}}`, "page.limit", "expected a whole number"},
		{"a limit above the largest", `{"page":{"limit":1001}}`, "page.limit", `"1001": expected a whole number from 0 to 1000`},
		{"a limit beyond all integers", `{"page":{"limit":18446744073709551617}}`, "page.limit", "expected a whole number"},
		{"a limit that is no whole number", `{"page":{"limit":1.5}}`, "page.limit", `"1.5": expected a whole number`},
		{"a limit with an exponent", `{"page":{"limit":1e1}}`, "page.limit", "in digits alone"},
		{"a limit that is text", `{"page":{"limit":"10"}}`, "page.limit", "is a string: expected a number"},
		{"a token that is a number", `{"page":{"token":7}}`, "page.token", "is a number: expected a string"},
		{"a page twice", `{"page":{},"page":{}}`, "page", "duplicate object member name"},
		{"a subject that is text", `{"subject":"user"}`, "subject", "is a string: expected an object"},
		{"a type that is a number", `{"subject":{"type":7}}`, "subject.type", "is a number: expected a string"},
		{"properties that are text", `{"subject":{"properties":"x"}}`, "subject.properties", "is a string: expected an object"},
		{"an ignored id that is no JSON", `{"subject":{"id":nobody}}`, "subject.id", "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decodeSearch([]byte(tt.body), pdp.Subjects)
			if authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), tt.wantText) {
				t.Fatalf("error = %v, want one of kind invalid with %q", err, tt.wantText)
			}
			field := ""
			if violations := authz.ViolationsOf(err); len(violations) > 0 {
				field = violations[0].Field
			}
			if field != tt.wantField {
				t.Errorf("field = %q, want %q", field, tt.wantField)
			}
		})
	}
}

func TestErrorsOfTheSearcher(t *testing.T) {
	tests := []struct {
		name       string
		err        error
		wantStatus int
		want       string
	}{
		{"a token of another search", authz.InvalidField("page_token", "this is no token of this search"), 400, "page.token: this is no token of this search"},
		{"another limit", authz.InvalidField("page_size", "the pages before had 2"), 400, "page.limit: the pages before had 2"},
		{"a missing part", authz.JoinInvalid([]error{authz.InvalidField("page_size", "x"), authz.InvalidField("resource.id", "is missing")}), 400, "resource.id: is missing"},
		{"another policy", authz.Errorf(authz.FailedPrecondition, "begin it again"), 409, "begin it again"},
		{"an unknown tenant", authz.Errorf(authz.NotFound, "unknown tenant"), 404, "unknown tenant"},
		{"a candidate that cannot be decided", authz.Errorf(authz.Evaluation, "candidate x"), 500, "candidate x"},
		{"an internal error", errors.New("secret"), 500, "internal error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			handler := searchHandler(func(pdp.Search) (pdp.Found, error) { return pdp.Found{}, tt.err }, 0)
			for _, path := range []string{searchSubjectPath, searchResourcePath, searchActionPath} {
				response := post(t, handler, path, readRecord)
				if failed := failureIn(t, response); response.Code != tt.wantStatus || !strings.Contains(failed.Message, tt.want) || strings.Contains(failed.Message, "secret") {
					t.Errorf("%s: %d %+v, want %d and %q", path, response.Code, failed, tt.wantStatus, tt.want)
				}
			}
		})
	}
}

func TestBodyOfASearchAtTheLimit(t *testing.T) {
	const input = 1 << 10
	limit, _ := bodyLimits(input)
	handler := newOpen(Options{
		Decider: allowReads, Logger: zap.NewNop(), MaxInputBytes: input,
		Searcher: searchFunc(func(pdp.Search) (pdp.Found, error) { return pdp.Found{}, nil }),
	})
	body := readRecord + strings.Repeat(" ", int(limit)-len(readRecord))
	if response := post(t, handler, searchSubjectPath, body); response.Code != http.StatusOK {
		t.Errorf("a body of the limit: status %d, %s", response.Code, response.Body)
	}
	response := post(t, handler, searchSubjectPath, body+" ")
	if failed := failureIn(t, response); response.Code != http.StatusRequestEntityTooLarge || !strings.Contains(failed.Message, fmt.Sprint(limit)) {
		t.Errorf("a body one byte over the limit: %d %+v, want 413 naming the limit", response.Code, failed)
	}
}

// TestNoSearch holds that a server without a searcher neither serves searches nor
// lists them.
func TestNoSearch(t *testing.T) {
	handler := metadataHandler(t, "https://pdp.example.com")
	response := post(t, handler, searchSubjectPath, readRecord)
	if failed := failureIn(t, response); failed.Status != http.StatusNotFound {
		t.Errorf("error = %+v, want 404", failed)
	}
	listed := httptest.NewRecorder()
	handler.ServeHTTP(listed, httptest.NewRequest(http.MethodGet, wellKnown, nil))
	if strings.Contains(listed.Body.String(), "search") {
		t.Errorf("the metadata is %s, want no search in it", listed.Body)
	}
}

func FuzzDecodeSearch(f *testing.F) {
	for _, seed := range []string{
		readRecord,
		searchSubjects + `,"page":{"limit":10,"token":"a","properties":{"sort":[1]}}}`,
		`{"page":{"limit":-1}}`,
		`{"page":{"limit":1e3},"action":[]}`,
		`{"subject":{"id":{}},"page":{"token":"\ud800"}}`,
	} {
		for what := range byte(3) {
			f.Add([]byte(seed), what)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, kind byte) {
		what := pdp.Subjects + pdp.SearchFor(kind%3)
		s, err := decodeSearch(body, what)
		if err != nil {
			if authz.KindOf(err) != authz.Invalid {
				t.Errorf("error of kind %v: %v", authz.KindOf(err), err)
			}
			if !utf8.ValidString(err.Error()) {
				t.Errorf("the error is not valid UTF-8: %q", err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("what is no JSON was accepted")
		}
		if s.limit < 0 || s.limit > pdp.MaxSearchLimit || !utf8.ValidString(s.token) {
			t.Errorf("a page of limit %d, token %q was accepted", s.limit, s.token)
		}
		if !s.paged && (s.limit != 0 || s.token != "") {
			t.Errorf("limit %d, token %q without a page", s.limit, s.token)
		}
		request := s.request("default")
		switch what {
		case pdp.Subjects:
			if request.Subject.ID != "" {
				t.Error("the id of what is searched for was read")
			}
		case pdp.Resources:
			if request.Resource.ID != "" {
				t.Error("the id of what is searched for was read")
			}
		case pdp.Actions:
			if request.Action.Name != "" || request.Action.Properties != nil {
				t.Error("the action was read")
			}
		}
		for _, object := range []authz.Object{request.Subject.Properties, request.Action.Properties, request.Resource.Properties, request.Context} {
			checkObject(t, object, 1)
		}
	})
}
