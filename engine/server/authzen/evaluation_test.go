package authzen

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// bare is what the context of a decision holds at least, here of a fake one.
const bare = `"decision_id":"","policy_revision":"","directory_revision":0`

func TestEvaluation(t *testing.T) {
	tests := []struct {
		name, path, body string
		want             *authz.Request
	}{
		{
			"the required members",
			"/access/v1/evaluation", readRecord,
			&authz.Request{
				Tenant:  authz.DefaultTenant,
				Subject: authz.Subject{Type: "user", ID: "alice"}, Action: authz.Action{Name: "read"},
				Resource: authz.Resource{Type: "record", ID: "record-1"},
			},
		},
		{
			"a tenant",
			"/tenants/blue/access/v1/evaluation", readRecord,
			&authz.Request{
				Tenant:  "blue",
				Subject: authz.Subject{Type: "user", ID: "alice"}, Action: authz.Action{Name: "read"},
				Resource: authz.Resource{Type: "record", ID: "record-1"},
			},
		},
		{
			"every member, and unknown ones",
			"/access/v1/evaluation",
			`{"subject": {"type": "user", "id": "alice", "properties": {"role": "admin"}, "more": 1},
			  "action": {"name": "read", "properties": {"soft": true}, "more": [1]},
			  "resource": {"type": "record", "id": "record-1", "properties": {"size": 12345678901234567890.123, "tags": ["a", null, {}]}},
			  "context": {"ip": "10.0.0.7", "nested": {"deep": [[]]}},
			  "futureField": {"nested": true}}`,
			&authz.Request{
				Tenant:  authz.DefaultTenant,
				Subject: authz.Subject{Type: "user", ID: "alice", Properties: authz.Object{"role": "admin"}},
				Action:  authz.Action{Name: "read", Properties: authz.Object{"soft": true}},
				Resource: authz.Resource{Type: "record", ID: "record-1", Properties: authz.Object{
					"size": json.Number("12345678901234567890.123"), "tags": []any{"a", nil, authz.Object{}}}},
				Context: authz.Object{"ip": "10.0.0.7", "nested": authz.Object{"deep": []any{[]any{}}}},
			},
		},
		{
			"members that are null are left out",
			"/access/v1/evaluation",
			`{"subject": {"type": "user", "id": "alice", "properties": null}, "action": {"name": "read"},
			  "resource": {"type": "record", "id": "record-1"}, "context": null}`,
			&authz.Request{
				Tenant:  authz.DefaultTenant,
				Subject: authz.Subject{Type: "user", ID: "alice"}, Action: authz.Action{Name: "read"},
				Resource: authz.Resource{Type: "record", ID: "record-1"},
			},
		},
		{
			"names in other letters are others",
			"/access/v1/evaluation",
			`{"Subject": {"type": "user", "id": "bob"}, "subject": {"type": "user", "id": "alice", "ID": "bob"}, "action": {"name": "read", "NAME": "write"},
			  "resource": {"type": "record", "id": "record-1", "Properties": {"a": 1}}}`,
			&authz.Request{
				Tenant:  authz.DefaultTenant,
				Subject: authz.Subject{Type: "user", ID: "alice"}, Action: authz.Action{Name: "read"},
				Resource: authz.Resource{Type: "record", ID: "record-1"},
			},
		},
		{
			"evaluations and options, which are unknown here",
			"/access/v1/evaluation", strings.Replace(readRecord, "{", `{"evaluations":[{"action":{"name":"write"}}],"options":7,`, 1),
			&authz.Request{
				Tenant:  authz.DefaultTenant,
				Subject: authz.Subject{Type: "user", ID: "alice"}, Action: authz.Action{Name: "read"},
				Resource: authz.Resource{Type: "record", ID: "record-1"},
			},
		},
		{
			"evaluations without evaluations",
			"/access/v1/evaluations", readRecord,
			&authz.Request{
				Tenant:  authz.DefaultTenant,
				Subject: authz.Subject{Type: "user", ID: "alice"}, Action: authz.Action{Name: "read"},
				Resource: authz.Resource{Type: "record", ID: "record-1"},
			},
		},
		{
			"evaluations that are empty",
			"/tenants/blue/access/v1/evaluations", strings.Replace(readRecord, "{", `{"evaluations":[],`, 1),
			&authz.Request{
				Tenant:  "blue",
				Subject: authz.Subject{Type: "user", ID: "alice"}, Action: authz.Action{Name: "read"},
				Resource: authz.Resource{Type: "record", ID: "record-1"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got *authz.Request
			response := post(t, newHandler(remember(&got)), tt.path, tt.body)
			if want := `{"decision":true,"context":{` + bare + `}}`; response.Code != http.StatusOK || strings.TrimSpace(response.Body.String()) != want {
				t.Errorf("status %d, body %s, want 200 and %s", response.Code, response.Body, want)
			}
			if contentType := response.Header().Get("Content-Type"); contentType != "application/json" {
				t.Errorf("Content-Type = %q, want application/json", contentType)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecisionContext(t *testing.T) {
	tests := []struct {
		name     string
		decision authz.Decision
		want     string
	}{
		{"a bare deny", authz.Decision{ID: "d1"}, `{"decision":false,"context":{"decision_id":"d1","policy_revision":"","directory_revision":0}}`},
		{
			"everything",
			authz.Decision{
				Allowed: true, Reasons: []string{"on the ward <rota>"}, Obligations: authz.Object{"mask": []any{"salary"}, "quota": json.Number("9007199254740993")},
				ID: "d1", PolicyRevision: "p7", DirectoryRevision: 42,
			},
			`{"decision":true,"context":{"reasons":["on the ward <rota>"],"obligations":{"mask":["salary"],"quota":9007199254740993},` +
				`"decision_id":"d1","policy_revision":"p7","directory_revision":42}}`,
		},
		{
			"an error",
			authz.Decision{ID: "d1", Err: authz.Errorf(authz.LimitExceeded, "evaluation time 100ms")},
			`{"decision":false,"context":{"decision_id":"d1","policy_revision":"","directory_revision":0,"error":{"status":413,"kind":"limit_exceeded","message":"evaluation time 100ms"}}}`,
		},
		{
			"an error is never an allow",
			authz.Decision{Allowed: true, Err: authz.Errorf(authz.Evaluation, "conflict")},
			`{"decision":false,"context":{` + bare + `,"error":{"status":500,"kind":"evaluation","message":"conflict"}}}`,
		},
		{
			"an internal error",
			authz.Decision{ID: "d1", Err: errors.New("secret")},
			`{"decision":false,"context":{"decision_id":"d1","policy_revision":"","directory_revision":0,"error":{"status":500,"kind":"internal","message":"internal error: the server's log has more under decision d1"}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zap.DebugLevel)
			handler := newOpen(Options{
				Decider: decideFunc(func(*authz.Request) (authz.Decision, error) { return tt.decision, nil }),
				Logger:  zap.New(core),
			})
			response := post(t, handler, "/access/v1/evaluation", readRecord)
			if got := strings.TrimSpace(response.Body.String()); response.Code != http.StatusOK || got != tt.want {
				t.Errorf("status %d, body\n%s\nwant 200 and\n%s", response.Code, got, tt.want)
			}
			if logs.Len() > 0 { // the decider has logged it
				t.Errorf("logged %v", logs.All())
			}
		})
	}
}

func TestEvaluations(t *testing.T) {
	const (
		alice  = `"subject":{"type":"user","id":"alice"}`
		noID   = `"resource":{"type":"record"}`
		failed = `{"decision":false,"context":{` + bare + `,"error":{"status":400,"kind":"invalid","message":"resource.id: is missing","violations":[{"field":"resource.id","description":"is missing"}]}}}`
		one    = `"resource":{"type":"record","id":"record-1"}`
		read   = `"action":{"name":"read"}`
		write  = `"action":{"name":"write"}`

		allowed = `{"decision":true,"context":{` + bare + `}}`
		denied  = `{"decision":false,"context":{` + bare + `}}`
	)
	tests := []struct {
		name, body, want string
	}{
		{
			"every item complete",
			`{"evaluations":[{` + alice + `,` + read + `,` + one + `},{` + alice + `,` + write + `,` + one + `}]}`,
			`{"evaluations":[` + allowed + `,` + denied + `]}`,
		},
		{
			"defaults after the items",
			`{"evaluations":[{` + read + `},{` + write + `}],` + alice + `,` + one + `}`,
			`{"evaluations":[` + allowed + `,` + denied + `]}`,
		},
		{
			"an item of defaults alone",
			`{` + alice + `,` + read + `,` + one + `,"evaluations":[{},{` + write + `}]}`,
			`{"evaluations":[` + allowed + `,` + denied + `]}`,
		},
		{
			"an item without a resource is denied alone",
			`{` + alice + `,` + read + `,"evaluations":[{` + one + `},{}],"options":{"evaluations_semantic":"execute_all"}}`,
			`{"evaluations":[` + allowed + `,` + failed + `]}`,
		},
		{
			"a part overrides whole",
			`{` + alice + `,` + read + `,"resource":{"type":"record","id":"record-1","properties":{"a":1}},"evaluations":[{` + noID + `}]}`,
			`{"evaluations":[` + failed + `]}`,
		},
		{
			"deny on first deny",
			`{` + alice + `,` + one + `,"options":{"evaluations_semantic":"deny_on_first_deny","another_option":"value"},"evaluations":[{` + read + `},{` + write + `},{` + read + `}]}`,
			`{"evaluations":[` + allowed + `,` + denied + `]}`,
		},
		{
			"permit on first permit",
			`{` + alice + `,` + one + `,"options":{"evaluations_semantic":"permit_on_first_permit"},"evaluations":[{` + write + `},{` + read + `},{` + read + `}]}`,
			`{"evaluations":[` + denied + `,` + allowed + `]}`,
		},
		{
			"deny on a first error",
			`{` + alice + `,` + read + `,` + one + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{},{` + noID + `},{}]}`,
			`{"evaluations":[` + allowed + `,` + failed + `]}`,
		},
		{
			"an error is no permit",
			`{` + alice + `,` + read + `,` + one + `,"options":{"evaluations_semantic":"permit_on_first_permit"},"evaluations":[{` + noID + `},{` + write + `},{},{}]}`,
			`{"evaluations":[` + failed + `,` + denied + `,` + allowed + `]}`,
		},
		{
			"permit on first permit where there is none",
			`{` + alice + `,` + write + `,` + one + `,"options":{"evaluations_semantic":"permit_on_first_permit"},"evaluations":[{},{}]}`,
			`{"evaluations":[` + denied + `,` + denied + `]}`,
		},
		{
			"deny on first deny where there is none",
			`{` + alice + `,` + read + `,` + one + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":[{},{}]}`,
			`{"evaluations":[` + allowed + `,` + allowed + `]}`,
		},
		{
			"no semantic but a null",
			`{` + alice + `,` + write + `,` + one + `,"options":{"evaluations_semantic":null},"evaluations":[{},{` + read + `}]}`,
			`{"evaluations":[` + denied + `,` + allowed + `]}`,
		},
		{
			"no options but a null",
			`{` + alice + `,` + write + `,` + one + `,"options":null,"evaluations":[{},{` + read + `}]}`,
			`{"evaluations":[` + denied + `,` + allowed + `]}`,
		},
		{
			"options that nobody knows",
			`{` + alice + `,` + write + `,` + one + `,"options":{"evaluations_semantics":"x","more":[{}]},"evaluations":[{},{` + read + `}]}`,
			`{"evaluations":[` + denied + `,` + allowed + `]}`,
		},
		{
			"no evaluations but a null",
			`{` + alice + `,` + read + `,` + one + `,"options":{"evaluations_semantic":"deny_on_first_deny"},"evaluations":null}`,
			allowed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response := post(t, newHandler(allowReads), "/access/v1/evaluations", tt.body)
			if got := strings.TrimSpace(response.Body.String()); response.Code != http.StatusOK || got != tt.want {
				t.Errorf("status %d, body\n%s\nwant 200 and\n%s", response.Code, got, tt.want)
			}
		})
	}
}

func TestContextOfItems(t *testing.T) {
	var contexts []authz.Object
	handler := newHandler(decideFunc(func(request *authz.Request) (authz.Decision, error) {
		contexts = append(contexts, request.Context)
		return authz.Decision{}, nil
	}))
	post(t, handler, "/access/v1/evaluations",
		`{"context":{"a":"batch"},"evaluations":[{},{"context":{"b":"item"}},{"context":{}},{"context":null}]}`)
	want := []authz.Object{{"a": "batch"}, {"b": "item"}, {}, {"a": "batch"}}
	if diff := cmp.Diff(want, contexts); diff != "" {
		t.Errorf("contexts (-want +got):\n%s", diff)
	}
}

func TestNumberOfEvaluations(t *testing.T) {
	body := func(n int) string {
		items := strings.TrimSuffix(strings.Repeat(readRecord+",", n), ",")
		return fmt.Sprintf(`{"evaluations":[%s]}`, items)
	}
	handler := newHandler(allowReads)
	if response := post(t, handler, "/access/v1/evaluations", body(pdp.MaxBatch)); response.Code != http.StatusOK {
		t.Errorf("%d evaluations: status %d, %s", pdp.MaxBatch, response.Code, response.Body)
	}
	response := post(t, handler, "/access/v1/evaluations", body(pdp.MaxBatch+1))
	if failed := failureIn(t, response); failed.Status != http.StatusBadRequest || !strings.Contains(failed.Message, "1000") {
		t.Errorf("%d evaluations: %+v, want 400 naming the limit", pdp.MaxBatch+1, failed)
	}
}
