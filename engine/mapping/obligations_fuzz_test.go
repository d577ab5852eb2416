package mapping

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"github.com/verdictpdp/verdict/api/authz"
)

// FuzzObligations holds whatever a policy may oblige to to an answer that HTTP can
// carry, which lets a request go on only where the decision does.
func FuzzObligations(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `{"http": {"headers": {"X-User": "mina", "x-roles": ["a", 1, true]}}}`, `{"mask": 1}`,
		`{"http": {"status": 302, "headers": {"location": "/\r\nset-cookie: a=b"}}}`, `{"http": {"status": 200, "body": {"a": [1e400]}}}`,
		`{"http": {"headers": {"Transfer-Encoding": "chunked", ":path": "/", "": "x", "a": "\u0000"}}}`, `{"http": {"status": 4e2, "body": "no"}}`,
	} {
		f.Add(true, seed)
		f.Add(false, seed)
	}
	mapper := newMapper(nil, nil)
	f.Fuzz(func(t *testing.T, allowed bool, text string) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var obligations map[string]any
		if decoder.Decode(&obligations) != nil {
			return
		}
		answer := mapper.conclude("clinic", &authz.Decision{Allowed: allowed, ID: "d1", Obligations: obligations})
		switch {
		case answer.Allowed() && !allowed:
			t.Error("a deny lets the request go on")
		case answer.Allowed() && answer.Body != nil:
			t.Errorf("an allow has the body %q", answer.Body)
		case !answer.Allowed() && (answer.Status < http.StatusMultipleChoices || answer.Status > 599):
			t.Errorf("a denial has the status %d", answer.Status)
		case len(answer.Body) > MaxBodyBytes:
			t.Errorf("the body has %d bytes", len(answer.Body))
		}
		var written bytes.Buffer
		names := map[string]bool{}
		for _, header := range answer.Headers {
			if names[header.Name] || !httpguts.ValidHeaderFieldName(header.Name) || header.Name != strings.ToLower(header.Name) {
				t.Errorf("the header %q stands twice, or is none", header.Name)
			}
			names[header.Name] = true
			if framing[header.Name] && (header.Name != DecisionHeader || header.Values[0] != "d1") {
				t.Errorf("the policy sets %s to %q", header.Name, header.Values)
			}
			for _, value := range header.Values {
				if !httpguts.ValidHeaderFieldValue(value) || strings.ContainsAny(value, "\r\n\x00") {
					t.Errorf("%s is %q", header.Name, value)
				}
				written.WriteString(value)
			}
		}
		if written.Len() > MaxAnswerHeaderBytes+1<<10 {
			t.Errorf("the headers have %d bytes", written.Len())
		}
	})
}
