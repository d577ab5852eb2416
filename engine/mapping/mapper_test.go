package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/eval"
)

func TestTheShippedRuleMapsARequest(t *testing.T) {
	var asked *authz.Request
	mapper := newMapper(ruleOf(t, clinicData, ""), decideFunc(func(r *authz.Request) (authz.Decision, error) {
		asked = r
		return authz.Decision{Allowed: true, ID: "d1"}, nil
	}))
	answer, err := mapper.Answer(t.Context(), readPatient())
	if err != nil {
		t.Fatal(err)
	}
	if want := (Answer{Status: 200, Headers: []Header{{DecisionHeader, []string{"d1"}}}}); !cmp.Equal(want, answer) {
		t.Error(cmp.Diff(want, answer))
	}
	want := &authz.Request{
		Tenant:   "clinic",
		Subject:  authz.Subject{Type: "service", ID: "web"},
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "patient", ID: "7", Properties: authz.Object{"id": "7"}},
		Context: authz.Object{
			"method": "GET", "scheme": "https", "host": "records.example", "path": "/patients/7",
			"query": authz.Object{"full": []any{"1"}}, "address": "10.0.0.7",
		},
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Error(diff)
	}
}

// The most specific route counts, wherever it stands in the table; the compiled rule
// has the table ready from activation.
func TestTheMostSpecificRouteCounts(t *testing.T) {
	const data = `{"http": {"anonymous": {"type": "user", "id": "x"}, "routes": [
		{"path": "/{all...}", "type": "rest", "id": "{all}"},
		{"path": "/{a}/{b}", "type": "variables", "id": "{b}"},
		{"path": "/{a}/x", "type": "second", "id": "{a}"},
		{"path": "/p/{all...}", "type": "first-rest", "id": "{all}"},
		{"path": "/p/{b}", "type": "first", "id": "{b}"},
		{"path": "/p/x", "type": "text", "id": "x"},
		{"path": "/", "type": "root", "id": "root"}
	]}}`
	rule := ruleOf(t, data, "")
	for target, want := range map[string]string{
		"/": "root:root", "/p/x": "text:x", "/p/y": "first:y", "/q/x": "second:q", "/q/y": "variables:y",
		"/p/y/z": "first-rest:y/z", "/q": "rest:q", "/p": "rest:p", "/q/y/z": "rest:q/y/z", "/p/a/b/c/d/e/f": "first-rest:a/b/c/d/e/f",
		"/%7B%7D/x": "second:{}", "/%7Ball...%7D": "rest:{all...}",
	} {
		var asked *authz.Request
		mapper := newMapper(rule, decideFunc(func(r *authz.Request) (authz.Decision, error) {
			asked = r
			return authz.Decision{}, nil
		}))
		answer, err := mapper.Answer(t.Context(), with(func(m *Message) { m.Target, m.Principal = target, "" }))
		if err != nil || asked == nil {
			t.Errorf("%s: %s, %v", target, answer.Body, err)
			continue
		}
		if got := asked.Resource.Ref().String(); got != want {
			t.Errorf("%s is %s, want %s", target, got, want)
		}
	}
}

// A large table is ready as soon as the policy is.
func TestALargeTableIsReady(t *testing.T) {
	mapper := newMapper(ruleOf(t, manyRoutes(t, 500), ""), answering(authz.Decision{Allowed: true}))
	mapper.Evaluation, mapper.Steps = time.Minute, 1_000 // of the 2 million that a decision may take
	answer, err := mapper.Answer(t.Context(), with(func(m *Message) { m.Target = "/service499/items/7/notes/n1" }))
	if err != nil || !answer.Allowed() {
		t.Errorf("%s, %v", answer.Body, err)
	}
}

func TestTheContextOfTheRuleCounts(t *testing.T) {
	var asked *authz.Request
	rule := ruleOf(t, "{}", `package verdict.http

request := {"subject": {"type": "user", "id": "x"}, "action": {"name": "read"}, "resource": {"type": "a", "id": "b"}, "context": {"mfa": true}}`)
	if _, err := newMapper(rule, decideFunc(func(r *authz.Request) (authz.Decision, error) {
		asked = r
		return authz.Decision{}, nil
	})).Answer(t.Context(), readPatient()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(authz.Object{"mfa": true}, asked.Context); diff != "" {
		t.Error(diff)
	}
}

// Rules take turns, and give them back before the decisions take their own.
func TestRulesTakeTurns(t *testing.T) {
	turns := admission.New(admission.Options{Turns: 1, MaxWait: time.Millisecond})
	mapped := 0
	shipped := ruleOf(t, clinicData, "")
	mapper := newMapper(valueFunc(func(ctx context.Context, in eval.Input) (any, bool, error) {
		mapped++
		if _, err := turns.Check(ctx, "clinic"); authz.KindOf(err) != authz.Overloaded {
			t.Errorf("beside a rule there is a turn of one: %v", err)
		}
		return shipped.Value(ctx, in)
	}), decideFunc(func(*authz.Request) (authz.Decision, error) {
		turn, err := turns.Check(t.Context(), "clinic")
		turn.Release()
		return authz.Decision{Allowed: true, ID: "d1"}, err
	}))
	mapper.Turns = turns
	if answer, err := mapper.Answer(t.Context(), readPatient()); err != nil || !answer.Allowed() {
		t.Errorf("%s, %v", answer.Body, err)
	}
	turn, err := turns.Check(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	defer turn.Release()
	if answer, err := mapper.Answer(t.Context(), readPatient()); err != nil || answer.Status != http.StatusServiceUnavailable || mapped != 1 {
		t.Errorf("without a turn: status %d, %v, and %d rules ran; want 503 and 1", answer.Status, err, mapped)
	}
}

// What is not mapped is not decided, whatever the policy would say.
func TestWhatIsNotMapped(t *testing.T) {
	tests := []struct {
		name    string
		rule    string // in the place of the shipped one
		message *Message
		status  int
		logged  string
	}{
		{"no route", "", with(func(m *Message) { m.Target = "/doctors" }), 403, ""},
		{"no action", "", with(func(m *Message) { m.Method = "OPTIONS" }), 403, ""},
		{"no subject", "", with(func(m *Message) { m.Principal = "" }), 401, ""},
		{"no subject and no route", "", with(func(m *Message) { m.Principal, m.Target = "", "/doctors" }), 401, ""},
		{"a trick", "", with(func(m *Message) { m.Target = "/patients/..%2f7" }), 400, ""},
		{"an undefined rule", `request := {} if input.nothing`, readPatient(), 401, ""},
		{"an empty request", `request := {}`, readPatient(), 401, ""},
		{"a subject that is null", `request := {"subject": null, "action": {"name": "read"}}`, readPatient(), 401, ""},
		{"an action that is null", `request := {"subject": {"type": "a", "id": "b"}, "action": null, "resource": {"type": "a", "id": "b"}}`, readPatient(), 403, ""},
		{"a resource that is null", `request := {"subject": {"type": "a", "id": "b"}, "action": {"name": "read"}, "resource": null}`, readPatient(), 403, ""},
		{"a request that is no object", `request := 7`, readPatient(), 403, "is no object"},
		{"a subject that is no object", `request := {"subject": "mina"}`, readPatient(), 403, "as subject is no object"},
		{"a subject without an id", `request := {"subject": {"type": "user"}}`, readPatient(), 403, "subject.id is no text"},
		{"a subject with an empty id", `request := {"subject": {"type": "user", "id": ""}}`, readPatient(), 403, "subject.id is no text"},
		{"an id that is a number", `request := {"subject": {"type": "user", "id": 7}}`, readPatient(), 403, "subject.id is no text"},
		{"an action without a name", `request := {"action": {}}`, readPatient(), 403, "action.name is no text"},
		{"properties that are no object", `request := {"action": {"name": "read", "properties": 7}}`, readPatient(), 403, "action.properties is no object"},
		{"a context that is no object", `request := {"context": 7}`, readPatient(), 403, "context is no object"},
		{"a slip", `request := {"subject": {"type": "user", "id": "x", "name": "X"}}`, readPatient(), 403, `the member "name" in subject`},
		{"another slip", `request := {"subjects": {}}`, readPatient(), 403, `the member "subjects"`},
		{"an error", `request := {"subject": {"type": "user", "id": sprintf("%d", [1 / (count(input.http.query) - 1)])}}`, readPatient(), 403, "divide by zero"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			policy := ""
			if tt.rule != "" {
				policy = "package verdict.http\n\nimport rego.v2\n\n" + tt.rule
			}
			core, logs := observer.New(zap.ErrorLevel)
			mapper := newMapper(ruleOf(t, clinicData, policy), decideFunc(func(*authz.Request) (authz.Decision, error) {
				t.Error("it was decided")
				return authz.Decision{Allowed: true}, nil
			}))
			mapper.Logger = zap.New(core)
			answer, err := mapper.Answer(t.Context(), tt.message)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Status != tt.status || answer.Allowed() {
				t.Errorf("status %d, want %d: %s", answer.Status, tt.status, answer.Body)
			}
			if challenged := slices.ContainsFunc(answer.Headers, func(h Header) bool { return h.Name == "www-authenticate" }); challenged != (tt.status == 401) {
				t.Errorf("headers %v", answer.Headers)
			}
			logged := ""
			for _, entry := range logs.All() {
				logged += entry.ContextMap()["error"].(string)
			}
			if !strings.Contains(logged, tt.logged) || (logged == "") != (tt.logged == "") {
				t.Errorf("logged %q, want %q", logged, tt.logged)
			}
			if tt.logged != "" && strings.Contains(string(answer.Body), tt.logged) {
				t.Errorf("the error is told to whoever is denied: %s", answer.Body)
			}
		})
	}
}

// Whoever wonders at a 401 or a 403 finds in the log what was not known.
func TestWhatIsNotKnownIsLogged(t *testing.T) {
	for want, message := range map[string]*Message{
		"subject": with(func(m *Message) { m.Principal = "" }), "action": with(func(m *Message) { m.Method = "BREW" }),
		"resource": with(func(m *Message) { m.Target = "/doctors?secret=1" }),
	} {
		core, logs := observer.New(zap.DebugLevel)
		mapper := newMapper(ruleOf(t, clinicData, ""), answering(authz.Decision{}))
		mapper.Logger = zap.New(core)
		if _, err := mapper.Answer(t.Context(), message); err != nil {
			t.Fatal(err)
		}
		if logs.Len() != 1 {
			t.Fatalf("%s: logged %v", want, logs.All())
		}
		fields := logs.All()[0].ContextMap()
		for _, part := range []string{"subject", "action", "resource"} {
			if fields[part] != (part != want) {
				t.Errorf("%s: logged %v", want, fields)
			}
		}
		if path, _, _ := strings.Cut(message.Target, "?"); fields["path"] != path {
			t.Errorf("the path %v is logged", fields["path"])
		}
	}
}

func TestWhatGoesWrongIsADenial(t *testing.T) {
	fine := ruleOf(t, clinicData, "")
	panicking := valueFunc(func(context.Context, eval.Input) (any, bool, error) { panic("a fault") })
	failing := func(err error) decideFunc {
		return func(*authz.Request) (authz.Decision, error) { return authz.Decision{Allowed: true}, err }
	}
	tests := []struct {
		name    string
		rule    eval.Rule
		ruleErr error
		decider Decider
		status  int
	}{
		{"no rule", nil, nil, nil, 403},
		{"no tenant", nil, authz.Errorf(authz.NotFound, "no tenant"), nil, 403},
		{"no policy yet", nil, authz.Errorf(authz.Unavailable, "none yet"), nil, 503},
		{"a panic of the rule", panicking, nil, nil, 403},
		{"no policy any more", fine, nil, failing(authz.Errorf(authz.Unavailable, "none")), 503},
		{"too much to do", fine, nil, failing(authz.Errorf(authz.Overloaded, "too much")), 503},
		{"a request that is refused", fine, nil, failing(authz.Errorf(authz.Invalid, "bad")), 403},
		{"an error that is none of ours", fine, nil, failing(errors.New("disk on fire")), 403},
		{"a panic of the decider", fine, nil, decideFunc(func(*authz.Request) (authz.Decision, error) { panic("a fault") }), 403},
		{"a decision with an error", fine, nil, answering(authz.Decision{Allowed: true, Err: errors.New("half way")}), 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mapper := newMapper(tt.rule, tt.decider)
			if tt.ruleErr != nil {
				mapper.Rule = func(string) (eval.Rule, error) { return nil, tt.ruleErr }
			}
			answer, err := mapper.Answer(t.Context(), readPatient())
			if err != nil || answer.Status != tt.status || answer.Allowed() {
				t.Errorf("status %d, error %v; want %d", answer.Status, err, tt.status)
			}
			if strings.Contains(string(answer.Body), "fire") || strings.Contains(string(answer.Body), "fault") {
				t.Errorf("the body tells too much: %s", answer.Body)
			}
		})
	}
}

func TestNobodyWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	mapper := newMapper(ruleOf(t, clinicData, ""), answering(authz.Decision{Allowed: true}))
	if answer, err := mapper.Answer(ctx, readPatient()); authz.KindOf(err) != authz.Canceled || answer.Allowed() {
		t.Errorf("answer %v, error %v; want it canceled", answer, err)
	}
}

// A rule that does not come to its end is stopped, and denies.
func TestARuleWithoutEnd(t *testing.T) {
	endless := "package verdict.http\n\nimport rego.v2\n\nrequest := {\"subject\": {\"type\": \"user\", \"id\": sprintf(\"%d\", [n])}} if {\n\tn := count([1 | some a in numbers.range(1, 10000); some b in numbers.range(1, 10000); a != b; input.http.path != \"\"])\n}\n"
	mapper := newMapper(ruleOf(t, clinicData, endless), answering(authz.Decision{Allowed: true}))
	answer, err := mapper.Answer(t.Context(), readPatient())
	if err != nil || answer.Status != 403 {
		t.Errorf("status %d, error %v", answer.Status, err)
	}
}

func TestDenialsTellWhy(t *testing.T) {
	mapper := newMapper(ruleOf(t, clinicData, ""), answering(authz.Decision{Reasons: []string{"not on the ward"}}))
	answer, err := mapper.Answer(t.Context(), readPatient())
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"status": 403.0, "message": "the policy does not allow this", "reasons": []any{"not on the ward"}, "decision_id": "d1"}
	if diff := cmp.Diff(want, body); diff != "" || answer.Status != http.StatusForbidden {
		t.Errorf("status %d, %s", answer.Status, diff)
	}
}
