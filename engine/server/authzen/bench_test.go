package authzen

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
)

// discarding is a response writer that keeps nothing.
type discarding struct{ header http.Header }

func (d discarding) Header() http.Header         { return d.header }
func (d discarding) WriteHeader(int)             {}
func (d discarding) Write(b []byte) (int, error) { return len(b), nil }

const benchmarkBody = `{"subject":{"type":"user","id":"u000042"},"action":{"name":"read"},"resource":{"type":"user","id":"u000042"},"context":{"ip":"10.0.0.7","mfa":true,"risk":12}}`

// BenchmarkEvaluation is what the handler adds to a decision and to what net/http
// does, beside a handler that decodes and encodes the same by encoding/json.
func BenchmarkEvaluation(b *testing.B) {
	decision := authz.Decision{
		Allowed: true, Obligations: authz.Object{"mask": []any{"salary"}}, Reasons: []string{"own account"},
		ID: "01JD2V8K3M5N6P7Q8R9S0T1U2V", PolicyRevision: "customer-1", DirectoryRevision: 42,
	}
	var response struct {
		Decision bool `json:"decision"`
		Context  struct {
			Reasons           []string       `json:"reasons,omitempty"`
			Obligations       map[string]any `json:"obligations,omitempty"`
			DecisionID        string         `json:"decision_id"`
			PolicyRevision    string         `json:"policy_revision"`
			DirectoryRevision uint64         `json:"directory_revision"`
		} `json:"context"`
	}
	response.Decision = decision.Allowed
	response.Context.Reasons, response.Context.Obligations = decision.Reasons, decision.Obligations
	response.Context.DecisionID, response.Context.PolicyRevision, response.Context.DirectoryRevision = decision.ID, decision.PolicyRevision, decision.DirectoryRevision
	type part struct {
		Type, ID, Name string
		Properties     map[string]any
	}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Subject, Action, Resource part
			Context                   map[string]any
		}
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			b.Fatal(err)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(response)
	})
	handlers := map[string]http.Handler{
		"verdict": newHandler(decideFunc(func(*authz.Request) (authz.Decision, error) { return decision, nil })),
		"echo":    echo,
	}
	for name, handler := range handlers {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			body := strings.NewReader(benchmarkBody)
			request, err := http.NewRequest(http.MethodPost, "/access/v1/evaluation", io.NopCloser(body))
			if err != nil {
				b.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			request.ContentLength = int64(len(benchmarkBody))
			for b.Loop() {
				body.Reset(benchmarkBody)
				request.Body = io.NopCloser(body)
				handler.ServeHTTP(discarding{http.Header{}}, request)
			}
		})
	}
}
