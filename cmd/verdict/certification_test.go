package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The certification scenario of AuthZEN's Authorization API 1.0, asked of the real
// binary over HTTPS. The names of the tests are the scenario's own, and so are
// their bodies.

// An exchange is a request of the scenario and what is to come back.
type exchange struct {
	id, name string
	endpoint string // as metadata names it
	body     string
	// status is 200 where it is 0.
	status int
	// decisions are those of a single decision or of the evaluations; "?" is
	// either.
	decisions []string
	// results are ids or names that must be among those found, and empty holds that
	// none is. sameAs is the id of a test that finds the same.
	results []string
	empty   bool
	sameAs  string
}

const (
	evaluationEndpoint  = "access_evaluation_endpoint"
	evaluationsEndpoint = "access_evaluations_endpoint"
	subjectEndpoint     = "search_subject_endpoint"
	resourceEndpoint    = "search_resource_endpoint"
	actionEndpoint      = "search_action_endpoint"

	aliceJSON    = `"subject":{"type":"user","id":"alice"}`
	bobJSON      = `"subject":{"type":"user","id":"bob"}`
	adminJSON    = `"subject":{"type":"user","id":"bob","properties":{"role":"admin"}}`
	usersJSON    = `"subject":{"type":"user"}`
	readJSON     = `"action":{"name":"read"}`
	writeJSON    = `"action":{"name":"write"}`
	record1JSON  = `"resource":{"type":"record","id":"record-1"}`
	record2JSON  = `"resource":{"type":"record","id":"record-2"}`
	activeJSON   = `"resource":{"type":"record","id":"record-1","properties":{"status":"active"}}`
	archivedJSON = `"resource":{"type":"record","id":"record-2","properties":{"status":"archived"}}`
	recordsJSON  = `"resource":{"type":"record"}`
	contextJSON  = `"context":{"time":"2025-06-27T18:03-07:00","ip":"192.168.1.1"}`
)

// object is a JSON object of members.
func object(members ...string) string { return "{" + strings.Join(members, ",") + "}" }

func evaluations(items ...string) string { return `"evaluations":[` + strings.Join(items, ",") + `]` }

func basicExchanges() []exchange {
	basic := func(id, name, decision string, members ...string) exchange {
		return exchange{id: id, name: name, endpoint: evaluationEndpoint, body: object(members...), decisions: []string{decision}}
	}
	refused := func(id, name, body string) exchange {
		return exchange{id: id, name: name, endpoint: evaluationEndpoint, body: body, status: 400}
	}
	return []exchange{
		basic("c-2-2-1", "permit", "true", aliceJSON, readJSON, record1JSON),
		basic("c-2-2-2", "deny", "false", bobJSON, writeJSON, record1JSON),
		basic("c-1-4", "rule 2", "true", aliceJSON, writeJSON, record1JSON),
		basic("c-1-4", "rule 3", "true", bobJSON, readJSON, record1JSON),
		basic("c-2-2-3", "context", "true", aliceJSON, readJSON, record1JSON, contextJSON),
		basic("c-2-2-4", "deny by the resource's properties", "false", aliceJSON, writeJSON, archivedJSON),
		basic("c-2-2-5", "permit by the subject's properties", "true", adminJSON, writeJSON, archivedJSON),
		basic("c-2-2-6", "permit by the action's properties", "true", aliceJSON, `"action":{"name":"delete","properties":{"soft":true}}`, record1JSON),
		basic("c-2-2-7", "deny by the action's properties", "false", aliceJSON, `"action":{"name":"delete","properties":{"soft":false}}`, record1JSON),
		basic("c-2-2-8", "additional properties", "true",
			`"subject":{"type":"user","id":"alice","properties":{"department":"Sales","role":"manager"}}`,
			`"action":{"name":"read","properties":{"method":"GET"}}`,
			`"resource":{"type":"record","id":"record-1","properties":{"status":"active","owner":"bob"}}`),
		basic("c-2-2-9", "unknown fields", "true", aliceJSON, readJSON, record1JSON, `"foo":"bar"`, `"futureField":{"nested":true}`),
		basic("c-1-6", "strings of any kind", "false", `"subject":{"type":"Space Ship/1","id":"\u0000ü:\ud83d\ude80"}`, `"action":{"name":" "}`, `"resource":{"type":"https://x","id":"../.."}`),
		basic("c-2-3-1", "the decision is a boolean", "?", aliceJSON, readJSON, record2JSON),
		basic("c-2-3-2", "the context is an object", "?", aliceJSON, writeJSON, record2JSON),
		refused("c-2-4-1", "no subject", object(readJSON, record1JSON)),
		refused("c-2-4-1", "no action", object(aliceJSON, record1JSON)),
		refused("c-2-4-1", "no resource", object(aliceJSON, readJSON)),
		refused("c-2-4-2", "no subject type", object(`"subject":{"id":"alice"}`, readJSON, record1JSON)),
		refused("c-2-4-2", "no subject id", object(usersJSON, readJSON, record1JSON)),
		refused("c-2-4-2", "no action name", object(aliceJSON, `"action":{}`, record1JSON)),
		refused("c-2-4-2", "no resource type", object(aliceJSON, readJSON, `"resource":{"id":"record-1"}`)),
		refused("c-2-4-2", "no resource id", object(aliceJSON, readJSON, recordsJSON)),
		refused("c-2-4-4", "malformed JSON", `{"subject": {"type": "user"`),
		refused("c-2-4-5", "an empty body", ""),
		refused("c-2-4-6", "a subject that is a string", object(`"subject":"alice"`, readJSON, record1JSON)),
		refused("c-2-4-6", "a name that is a number", object(aliceJSON, `"action":{"name":123}`, record1JSON)),
	}
}

func batchExchanges() []exchange {
	batch := func(id, name string, decisions []string, members ...string) exchange {
		return exchange{id: id, name: name, endpoint: evaluationsEndpoint, body: object(members...), decisions: decisions}
	}
	either := []string{"?", "?"}
	return []exchange{
		batch("c-3-2-1", "evaluations", either, aliceJSON, readJSON, evaluations(object(record1JSON), object(record2JSON))),
		batch("c-3-2-2", "decisions", []string{"true", "false"}, bobJSON, record1JSON, evaluations(object(readJSON), object(writeJSON))),
		batch("c-3-2-3", "properties", []string{"true", "false"}, aliceJSON, writeJSON, evaluations(object(activeJSON), object(archivedJSON))),
		batch("c-3-2-4", "the subject's properties", []string{"false", "true"}, writeJSON, archivedJSON, evaluations(object(aliceJSON), object(adminJSON))),
		batch("c-3-2-5", "no defaults", []string{"true", "false"}, evaluations(object(aliceJSON, readJSON, record1JSON), object(bobJSON, writeJSON, record1JSON))),
		batch("c-3-2-6", "context", either, aliceJSON, readJSON, `"context":{"time":"2025-06-27T18:03-07:00"}`,
			evaluations(object(record1JSON), object(record2JSON, `"context":{"time":"2025-06-27T19:00-07:00","source":"batch-override"}`))),
		batch("c-3-2-7", "defaults", []string{"true", "false"}, aliceJSON, writeJSON, activeJSON, evaluations(`{}`, object(archivedJSON))),
		batch("c-3-3-1", "as many as were asked for", []string{"?", "?", "?"}, aliceJSON, record1JSON, evaluations(object(readJSON), object(writeJSON), object(readJSON))),
		batch("c-3-3-2", "in order", []string{"false", "true"}, bobJSON, record1JSON, evaluations(object(writeJSON), object(readJSON))),
		batch("c-3-3-3", "each has a decision", either, aliceJSON, record2JSON, evaluations(object(readJSON), object(writeJSON))),
		batch("c-3-3-4", "no decision at the top", either, aliceJSON, record1JSON, evaluations(object(readJSON), object(writeJSON))),
		batch("c-3-4-1", "an evaluation that is incomplete", []string{"true", "false"}, aliceJSON, readJSON,
			`"options":{"evaluations_semantic":"execute_all"}`, evaluations(object(record1JSON), `{}`)),
		batch("c-3-4-2", "no evaluations", []string{"true"}, aliceJSON, readJSON, record1JSON),
		batch("c-3-4-3", "empty evaluations", []string{"true"}, aliceJSON, readJSON, record1JSON, evaluations()),
	}
}

func searchExchanges() []exchange {
	search := func(id, name, endpoint string, results []string, members ...string) exchange {
		return exchange{id: id, name: name, endpoint: endpoint, body: object(members...), results: results}
	}
	same := func(e exchange, id string) exchange {
		e.sameAs = id
		return e
	}
	nothing := func(name, endpoint, id string, members ...string) exchange {
		return exchange{id: id, name: name, endpoint: endpoint, body: object(members...), empty: true}
	}
	refused := func(id, name, endpoint string, members ...string) exchange {
		return exchange{id: id, name: name, endpoint: endpoint, body: object(members...), status: 400}
	}
	people, records, actions := []string{"alice", "bob"}, []string{"record-1"}, []string{"read", "write"}
	return []exchange{
		search("c-4-2-1", "subjects", subjectEndpoint, people, usersJSON, readJSON, record1JSON),
		same(search("c-4-2-2", "subjects with context", subjectEndpoint, people, usersJSON, readJSON, record1JSON, contextJSON), "c-4-2-1"),
		same(search("c-4-2-3", "subjects with an id", subjectEndpoint, people, aliceJSON, readJSON, record1JSON), "c-4-2-1"),
		search("c-4-2-4", "subjects by the resource's properties", subjectEndpoint, []string{"bob"}, usersJSON, writeJSON, archivedJSON),
		search("c-4-3-1", "resources", resourceEndpoint, records, aliceJSON, readJSON, recordsJSON),
		same(search("c-4-3-2", "resources with context", resourceEndpoint, records, aliceJSON, readJSON, recordsJSON, contextJSON), "c-4-3-1"),
		same(search("c-4-3-3", "resources with an id", resourceEndpoint, records, aliceJSON, readJSON, record1JSON), "c-4-3-1"),
		search("c-4-3-4", "resources by the subject's properties", resourceEndpoint, []string{"record-2"}, adminJSON, writeJSON, recordsJSON),
		search("c-4-4-1", "actions", actionEndpoint, actions, aliceJSON, record1JSON),
		same(search("c-4-4-2", "actions with context", actionEndpoint, actions, aliceJSON, record1JSON, contextJSON), "c-4-4-1"),
		search("c-4-4-3", "actions by properties", actionEndpoint, []string{"write"}, adminJSON, archivedJSON),
		search("c-4-5-1", "a page with a limit", subjectEndpoint, nil, usersJSON, readJSON, record1JSON, `"page":{"limit":1}`),
		nothing("an unknown subject, of actions", actionEndpoint, "c-4-6-1", `"subject":{"type":"user","id":"nonexistent-user"}`, record1JSON),
		nothing("an unknown resource, of actions", actionEndpoint, "c-4-6-1", aliceJSON, `"resource":{"type":"record","id":"nonexistent-record"}`),
		nothing("an unknown resource, of subjects", subjectEndpoint, "c-4-6-1", usersJSON, readJSON, `"resource":{"type":"record","id":"nonexistent-record"}`),
		nothing("an unknown subject, of resources", resourceEndpoint, "c-4-6-1", `"subject":{"type":"user","id":"nonexistent-user"}`, readJSON, recordsJSON),
		nothing("an unknown action", subjectEndpoint, "c-4-6-1", usersJSON, `"action":{"name":"nonexistent-action"}`, record1JSON),
		nothing("an unknown type of subjects", subjectEndpoint, "c-4-6-2", `"subject":{"type":"spaceship"}`, readJSON, record1JSON),
		nothing("an unknown type of resources", resourceEndpoint, "c-4-6-2", aliceJSON, readJSON, `"resource":{"type":"spaceship"}`),
		nothing("an unknown type, of actions", actionEndpoint, "c-4-6-2", aliceJSON, `"resource":{"type":"spaceship","id":"record-1"}`),
		nothing("a type that no directory can hold", subjectEndpoint, "c-4-6-2", `"subject":{"type":"Space Ship/1"}`, readJSON, record1JSON),
		refused("c-4-7-1", "subjects without an action", subjectEndpoint, usersJSON, record1JSON),
		refused("c-4-7-1", "resources without a subject", resourceEndpoint, readJSON, recordsJSON),
		refused("c-4-7-1", "actions without a resource", actionEndpoint, aliceJSON),
		refused("c-4-7-2", "subjects of a resource without an id", subjectEndpoint, usersJSON, readJSON, recordsJSON),
		refused("c-4-7-2", "resources of a subject without an id", resourceEndpoint, usersJSON, readJSON, recordsJSON),
		refused("c-4-7-2", "actions of a subject without an id", actionEndpoint, usersJSON, record1JSON),
		refused("c-4-7-2", "subjects without a type", subjectEndpoint, `"subject":{}`, readJSON, record1JSON),
		refused("c-4-7-2", "resources without a type", resourceEndpoint, aliceJSON, readJSON, `"resource":{}`),
	}
}

// A certified is a decision point that the scenario is asked of.
type certified struct {
	client    *http.Client
	base      string            // its identifier
	endpoints map[string]string // its metadata
}

// TestCertification runs the scenario on the real binary, over HTTP/1.1 and
// HTTP/2, at the root and as a tenant, with the endpoints that metadata tells.
func TestCertification(t *testing.T) {
	authority := newAuthority(t)
	const origin = "https://localhost"
	dial := startCertified(t, authority, origin)
	for protocol, two := range map[string]bool{"HTTP 1.1": false, "HTTP 2": true} {
		for _, path := range []string{"", "/tenants/default"} {
			client := authority.httpClient(t, two)
			client.Transport.(*http.Transport).DialContext = dial
			point := &certified{client: client, base: origin + path}
			t.Run(protocol+" "+path, func(t *testing.T) {
				t.Run("c-6", func(t *testing.T) { point.discover(t, origin+"/.well-known/authzen-configuration"+path) })
				exchanges := slices.Concat(basicExchanges(), batchExchanges(), searchExchanges())
				for _, e := range exchanges {
					t.Run(e.id+" "+e.name, func(t *testing.T) { point.exchange(t, e, exchanges) })
				}
				point.others(t)
			})
		}
	}
}

// startCertified serves the fixture with the real binary, and returns how to connect
// to it: its addresses are sockets, so that no port has to be free.
func startCertified(t *testing.T, authority *authority, origin string) func(ctx context.Context, network, address string) (net.Conn, error) {
	t.Helper()
	dir := t.TempDir()
	files := authority.issue(t, filepath.Join(dir, "tls"), 1)
	fixture := filepath.Join("testdata", "certification")
	socket, http := unixPrefix+filepath.Join(dir, "verdict.sock"), filepath.Join(dir, "http.sock")
	server := exec.Command("verdict", "serve", "--bundle", fixture, "--data", filepath.Join(dir, "store"),
		"--grpc", socket, "--http", unixPrefix+http, "--tls-cert", files.Cert, "--tls-key", files.Key, "--public-url", origin)
	server.Stderr = t.Output()
	server.Env = append(os.Environ(), "VERDICT_LIMITS_EVALUATION=10s", "VERDICT_LOG_LEVEL=warn")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	awaitSocket(t, socket)
	var out bytes.Buffer
	args := []string{"import", "--server", socket, "--ca", authority.file, filepath.Join(fixture, "directory.jsonl")}
	if code := run(t.Context(), args, streams{out: &out, err: &out}); code != exitOK {
		t.Fatalf("the import ended with %d:\n%s", code, &out)
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", http)
	}
}

// discover reads the metadata (c-6).
func (c *certified) discover(t *testing.T, url string) {
	response, err := c.client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if contentType := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || contentType != "application/json" {
		t.Fatalf("%s, Content-Type %q, want 200 and application/json", response.Status, contentType)
	}
	if err := json.NewDecoder(response.Body).Decode(&c.endpoints); err != nil {
		t.Fatal(err)
	}
	if got := c.endpoints["policy_decision_point"]; got != c.base {
		t.Errorf("policy_decision_point = %q, want %q", got, c.base)
	}
	for name, path := range map[string]string{
		evaluationEndpoint: "/access/v1/evaluation", evaluationsEndpoint: "/access/v1/evaluations",
		subjectEndpoint: "/access/v1/search/subject", resourceEndpoint: "/access/v1/search/resource", actionEndpoint: "/access/v1/search/action",
	} {
		if got := c.endpoints[name]; got != c.base+path {
			t.Errorf("%s = %q, want the default path at %s", name, got, c.base)
		}
	}
}

// An answered is what came back.
type answered struct {
	status int
	header http.Header
	body   []byte
	// What the body holds.
	Decision    *bool           `json:"decision"`
	Context     *map[string]any `json:"context"`
	Evaluations *[]struct {
		Decision *bool           `json:"decision"`
		Context  *map[string]any `json:"context"`
	} `json:"evaluations"`
	Page *struct {
		NextToken *string `json:"next_token"`
		Count     *int    `json:"count"`
	} `json:"page"`
	Results *[]struct{ Type, ID, Name string } `json:"results"`
}

// ask sends a body, which is JSON unless a content type says otherwise.
func (c *certified) ask(t *testing.T, endpoint, body string, header http.Header) answered {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoints[endpoint], strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := c.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := answered{status: response.StatusCode, header: response.Header}
	if answer.body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer.body, &answer); err != nil {
		t.Fatalf("the body is %q: %v", answer.body, err)
	}
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q, want application/json", got)
	}
	return answer
}

// exchange makes one request and looks at the answer.
func (c *certified) exchange(t *testing.T, e exchange, all []exchange) {
	id := e.id + " " + strings.ReplaceAll(e.name, " ", "-")
	answer := c.ask(t, e.endpoint, e.body, http.Header{"X-Request-Id": {id}})
	if got := answer.header.Get("X-Request-ID"); got != id {
		t.Errorf("X-Request-ID = %q, want %q", got, id)
	}
	status := e.status
	if status == 0 {
		status = http.StatusOK
	}
	if answer.status != status {
		t.Fatalf("status = %d, want %d: %s", answer.status, status, answer.body)
	}
	switch {
	case status != http.StatusOK:
	case e.decisions != nil:
		answer.checkDecisions(t, e)
	default:
		answer.checkResults(t, e)
		for _, id := range answer.found() {
			c.checkAllowed(t, e, id)
		}
	}
	for _, other := range all {
		if other.id == e.sameAs {
			if before := c.ask(t, other.endpoint, other.body, nil); !slices.Equal(before.found(), answer.found()) {
				t.Errorf("found %q, want what %s finds, %q", answer.found(), other.id, before.found())
			}
		}
	}
}

// checkAllowed holds that what a search finds is allowed (section 8.1 of the
// specification).
func (c *certified) checkAllowed(t *testing.T, e exchange, id string) {
	t.Helper()
	var request map[string]map[string]any
	if err := json.Unmarshal([]byte(e.body), &request); err != nil {
		t.Fatal(err)
	}
	switch e.endpoint {
	case subjectEndpoint:
		request["subject"]["id"] = id
	case resourceEndpoint:
		request["resource"]["id"] = id
	case actionEndpoint:
		request["action"] = map[string]any{"name": id}
	}
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer := c.ask(t, evaluationEndpoint, string(body), nil); answer.Decision == nil || !*answer.Decision {
		t.Errorf("%s is found, but %s is answered %s", id, body, answer.body)
	}
}

// checkDecisions holds a single decision or the evaluations to those that are
// wanted.
func (a answered) checkDecisions(t *testing.T, e exchange) {
	t.Helper()
	var got []*bool
	if strings.Contains(e.body, `"evaluations":[{`) {
		if a.Decision != nil || a.Evaluations == nil {
			t.Fatalf("%s, want evaluations and no decision at the top", a.body)
		}
		for _, evaluation := range *a.Evaluations {
			got = append(got, evaluation.Decision)
		}
	} else {
		got = append(got, a.Decision)
	}
	if len(got) != len(e.decisions) {
		t.Fatalf("%d decisions, want %d: %s", len(got), len(e.decisions), a.body)
	}
	for i, want := range e.decisions {
		if got[i] == nil || want != "?" && fmt.Sprint(*got[i]) != want {
			t.Errorf("decision %d is not %s: %s", i, want, a.body)
		}
	}
}

// found are the ids or the names of what was found.
func (a answered) found() []string {
	var all []string
	if a.Results == nil {
		return nil
	}
	for _, result := range *a.Results {
		all = append(all, result.ID+result.Name)
	}
	return all
}

// checkResults holds the results to those that are wanted.
func (a answered) checkResults(t *testing.T, e exchange) {
	t.Helper()
	if a.Results == nil {
		t.Fatalf("there are no results: %s", a.body)
	}
	for _, result := range *a.Results {
		typ := map[string]string{subjectEndpoint: "user", resourceEndpoint: "record"}[e.endpoint]
		if result.Type != typ || (typ == "") != (result.ID == "") || (typ == "") == (result.Name == "") {
			t.Errorf("found %+v at %s", result, e.endpoint)
		}
	}
	for _, want := range e.results {
		if !slices.Contains(a.found(), want) {
			t.Errorf("found %q, want %s among them", a.found(), want)
		}
	}
	if e.empty && len(*a.Results) > 0 {
		t.Errorf("found %q, want nothing", a.found())
	}
	if a.Page != nil && a.Page.NextToken == nil {
		t.Errorf("a page without a next_token: %s", a.body)
	}
}

// others are the tests that are more than one request with a body.
func (c *certified) others(t *testing.T) {
	permit := object(aliceJSON, readJSON, record1JSON)
	t.Run("c-2-4-3 another content type", func(t *testing.T) {
		for _, contentType := range []string{"text/plain", "application/xml", ""} {
			for _, endpoint := range []string{evaluationEndpoint, evaluationsEndpoint, subjectEndpoint} {
				if answer := c.ask(t, endpoint, permit, http.Header{"Content-Type": {contentType}}); answer.status != http.StatusBadRequest {
					t.Errorf("%q: status %d, want 400", contentType, answer.status)
				}
			}
		}
	})
	t.Run("c-2-5-2 no request id", func(t *testing.T) {
		if answer := c.ask(t, evaluationEndpoint, permit, nil); answer.status != http.StatusOK {
			t.Errorf("status = %d, want 200: %s", answer.status, answer.body)
		}
	})
	t.Run("c-2-6 the same again and again", func(t *testing.T) {
		for range 10 {
			if answer := c.ask(t, evaluationEndpoint, permit, nil); answer.Decision == nil || !*answer.Decision {
				t.Fatalf("answered %s, want an allow", answer.body)
			}
		}
	})
	t.Run("c-4-5-2 the next pages", func(t *testing.T) {
		search := []string{usersJSON, readJSON, record1JSON}
		first := c.ask(t, subjectEndpoint, object(append(search, `"page":{"limit":1}`)...), nil)
		if first.Page == nil || *first.Page.NextToken == "" || len(*first.Results) != 1 || *first.Page.Count != 1 {
			t.Fatalf("the first page is %s, want one result and a token", first.body)
		}
		if !bytes.HasPrefix(first.body, []byte(`{"page":`)) {
			t.Errorf("the page does not come first: %s", first.body)
		}
		found, token := first.found(), *first.Page.NextToken
		for token != "" {
			next := c.ask(t, subjectEndpoint, object(append(search, fmt.Sprintf(`"page":{"token":%q}`, token))...), nil)
			if next.status != http.StatusOK || next.Results == nil || next.Page == nil || next.Page.NextToken == nil {
				t.Fatalf("the next page is %s", next.body)
			}
			found, token = append(found, next.found()...), *next.Page.NextToken
		}
		if !slices.Equal(found, []string{"alice", "bob"}) {
			t.Errorf("found %q on all pages, want alice and bob", found)
		}
		token = *first.Page.NextToken
		for name, body := range map[string]string{
			"another subject":  object(`"subject":{"type":"user","properties":{"a":1}}`, readJSON, record1JSON, fmt.Sprintf(`"page":{"token":%q}`, token)),
			"another action":   object(usersJSON, writeJSON, record1JSON, fmt.Sprintf(`"page":{"token":%q}`, token)),
			"another resource": object(usersJSON, readJSON, record2JSON, fmt.Sprintf(`"page":{"token":%q}`, token)),
			"a context":        object(usersJSON, readJSON, record1JSON, contextJSON, fmt.Sprintf(`"page":{"token":%q}`, token)),
			"another limit":    object(usersJSON, readJSON, record1JSON, fmt.Sprintf(`"page":{"token":%q,"limit":2}`, token)),
			"another token":    object(usersJSON, readJSON, record1JSON, `"page":{"token":"a3M9NDU2O3N6PTI="}`),
		} {
			if answer := c.ask(t, subjectEndpoint, body, nil); answer.status != http.StatusBadRequest || !strings.Contains(string(answer.body), "page.") {
				t.Errorf("a token with %s: status %d, %s, want 400 naming the page", name, answer.status, answer.body)
			}
		}
	})
	t.Run("c-4-5-3 the form of a page", func(t *testing.T) {
		answer := c.ask(t, resourceEndpoint, object(aliceJSON, readJSON, recordsJSON, `"page":{"limit":1000,"properties":{"sort":"id"}}`), nil)
		if answer.Page == nil || *answer.Page.NextToken != "" || *answer.Page.Count != len(*answer.Results) {
			t.Errorf("the page is %s, want an empty token and the count", answer.body)
		}
	})
	t.Run("c-4-5-4 pages are optional", func(t *testing.T) {
		answer := c.ask(t, resourceEndpoint, object(aliceJSON, readJSON, recordsJSON), nil)
		if answer.Page != nil || len(*answer.Results) != 2 {
			t.Errorf("answered %s, want all results and no page", answer.body)
		}
	})
	t.Run("c-5 the transport", func(t *testing.T) {
		if !strings.HasPrefix(c.endpoints[evaluationEndpoint], "https://") {
			t.Errorf("the endpoint is %s", c.endpoints[evaluationEndpoint])
		}
		answer := c.ask(t, actionEndpoint, object(aliceJSON, record1JSON, `"foo":[{"a":null}]`), http.Header{"Content-Type": {"application/json; charset=utf-8"}})
		if answer.status != http.StatusOK {
			t.Errorf("status = %d, want 200: %s", answer.status, answer.body)
		}
	})
}
