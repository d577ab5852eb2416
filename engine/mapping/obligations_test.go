package mapping

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
)

func headersIn(headers []Header) map[string]string {
	flat := map[string]string{}
	for _, h := range headers {
		flat[h.Name] = strings.Join(h.Values, " | ")
	}
	return flat
}

func TestObligationsOfAnAllow(t *testing.T) {
	many := func(n int) authz.Object {
		headers := authz.Object{}
		for i := range n {
			headers[fmt.Sprint("h", i)] = "x"
		}
		return headers
	}
	headers := func(o authz.Object) authz.Object { return authz.Object{"http": authz.Object{"headers": o}} }
	tests := []struct {
		name        string
		obligations authz.Object
		want        map[string]string // nil where it is denied
	}{
		{"none", nil, map[string]string{}},
		{"headers", headers(authz.Object{"X-User": "mina", "x-level": json.Number("2"), "x-mfa": true}), map[string]string{"x-user": "mina", "x-level": "2", "x-mfa": "true"}},
		{"a list", headers(authz.Object{"x-role": []any{"nurse", "lead"}}), map[string]string{"x-role": "nurse | lead"}},
		{"an empty value", headers(authz.Object{"x-user": ""}), map[string]string{"x-user": ""}},
		{"what a deny would need", authz.Object{"http": authz.Object{"status": json.Number("429"), "body": "slow"}}, map[string]string{}},
		{"as many as may be", headers(many(MaxAnswerHeaders)), headersOfMany(MaxAnswerHeaders)},
		{"one more", headers(many(MaxAnswerHeaders + 1)), nil},
		{"as large as may be", headers(authz.Object{"a": strings.Repeat("x", MaxAnswerHeaderBytes-1)}), map[string]string{"a": strings.Repeat("x", MaxAnswerHeaderBytes-1)}},
		{"one byte more", headers(authz.Object{"a": strings.Repeat("x", MaxAnswerHeaderBytes)}), nil},
		{"another obligation", authz.Object{"mask": "ssn"}, nil},
		{"another obligation beside", authz.Object{"mask": "ssn", "http": authz.Object{}}, nil},
		{"no object", authz.Object{"http": "x"}, nil},
		{"a slip", authz.Object{"http": authz.Object{"header": authz.Object{}}}, nil},
		{"headers that are no object", authz.Object{"http": authz.Object{"headers": []any{}}}, nil},
		{"a line's end in a value", headers(authz.Object{"x-user": "mina\r\nx-admin: 1"}), nil},
		{"a line's end in a name", headers(authz.Object{"x-user\r\nx-admin": "1"}), nil},
		{"no ASCII in a value", headers(authz.Object{"x-user": "mína"}), nil},
		{"a space at the end", headers(authz.Object{"x-user": "mina "}), nil},
		{"a pseudo-header", headers(authz.Object{":path": "/admin"}), nil},
		{"the host", headers(authz.Object{"Host": "intern"}), nil},
		{"the length", headers(authz.Object{"Content-Length": "0"}), nil},
		{"the decision's id", headers(authz.Object{"X-Verdict-Decision-Id": "mine"}), nil},
		{"a header twice", headers(authz.Object{"X-User": "a", "x-user": "b"}), nil},
		{"a value that is an object", headers(authz.Object{"x-user": authz.Object{}}), nil},
		{"a value that is null", headers(authz.Object{"x-user": nil}), nil},
		{"no values", headers(authz.Object{"x-user": []any{}}), nil},
		{"lists in a list", headers(authz.Object{"x-user": []any{[]any{"a"}}}), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := newMapper(nil, nil).conclude("clinic", &authz.Decision{Allowed: true, ID: "d1", Obligations: tt.obligations})
			if tt.want == nil {
				if answer.Status != 403 || headersIn(answer.Headers)["x-user"] != "" {
					t.Errorf("answer %v, want a denial", answer)
				}
				return
			}
			tt.want[DecisionHeader] = "d1"
			if diff := cmp.Diff(tt.want, headersIn(answer.Headers)); diff != "" || !answer.Allowed() || answer.Body != nil {
				t.Errorf("status %d, body %q, %s", answer.Status, answer.Body, diff)
			}
		})
	}
}

func headersOfMany(n int) map[string]string {
	headers := map[string]string{}
	for i := range n {
		headers[fmt.Sprint("h", i)] = "x"
	}
	return headers
}

func TestObligationsOfADeny(t *testing.T) {
	asked := func(o authz.Object) authz.Object { return authz.Object{"http": o, "step_up": "mfa"} }
	tests := []struct {
		name        string
		obligations authz.Object
		status      int
		body        string // empty for the one where the policy brings none
		headers     map[string]string
	}{
		{"none", nil, 403, "", map[string]string{"content-type": "application/json"}},
		{"a status", asked(authz.Object{"status": json.Number("429")}), 429, "", map[string]string{"content-type": "application/json"}},
		{"a text", asked(authz.Object{"body": "no"}), 403, "no", map[string]string{"content-type": "text/plain; charset=utf-8"}},
		{"an empty text", asked(authz.Object{"body": ""}), 403, "", map[string]string{"content-type": "text/plain; charset=utf-8"}},
		{"an object", asked(authz.Object{"body": authz.Object{"a": json.Number("1")}}), 403, `{"a":1}`, map[string]string{"content-type": "application/json"}},
		{"a type of its own", asked(authz.Object{"body": "<p>no", "headers": authz.Object{"Content-Type": "text/html"}}), 403, "<p>no", map[string]string{"content-type": "text/html"}},
		{"401", asked(authz.Object{"status": json.Number("401")}), 401, "", map[string]string{"content-type": "application/json", "www-authenticate": `Bearer realm="verdict"`}},
		{
			"401 with a challenge", asked(authz.Object{"status": json.Number("401"), "headers": authz.Object{"WWW-Authenticate": "Basic"}}), 401, "",
			map[string]string{"content-type": "application/json", "www-authenticate": "Basic"},
		},
		{
			"to the login", asked(authz.Object{"status": json.Number("302"), "headers": authz.Object{"location": "https://login.example/"}}), 302, "",
			map[string]string{"content-type": "application/json", "location": "https://login.example/"},
		},
		{"a status that allows", asked(authz.Object{"status": json.Number("200"), "body": "yes"}), 403, "", map[string]string{"content-type": "application/json"}},
		{"the last status that allows", asked(authz.Object{"status": json.Number("299")}), 403, "", map[string]string{"content-type": "application/json"}},
		{"not modified", asked(authz.Object{"status": json.Number("304")}), 403, "", map[string]string{"content-type": "application/json"}},
		{"a status that HTTP does not know", asked(authz.Object{"status": json.Number("599")}), 403, "", map[string]string{"content-type": "application/json"}},
		{"a status that is a text", asked(authz.Object{"status": "429"}), 403, "", map[string]string{"content-type": "application/json"}},
		{"a body as large as may be", asked(authz.Object{"body": strings.Repeat("x", MaxBodyBytes)}), 403, strings.Repeat("x", MaxBodyBytes), map[string]string{"content-type": "text/plain; charset=utf-8"}},
		{"a body of a byte more", asked(authz.Object{"body": strings.Repeat("x", MaxBodyBytes+1)}), 403, "", map[string]string{"content-type": "application/json"}},
		{"a line's end in a header", asked(authz.Object{"headers": authz.Object{"location": "/\r\nset-cookie: a"}}), 403, "", map[string]string{"content-type": "application/json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := newMapper(nil, nil).conclude("clinic", &authz.Decision{ID: "d1", Obligations: tt.obligations})
			tt.headers[DecisionHeader] = "d1"
			if diff := cmp.Diff(tt.headers, headersIn(answer.Headers)); diff != "" || answer.Status != tt.status {
				t.Errorf("status %d, want %d; %s", answer.Status, tt.status, diff)
			}
			if tt.body != "" && string(answer.Body) != tt.body {
				t.Errorf("body %q, want %q", answer.Body, tt.body)
			}
		})
	}
}
