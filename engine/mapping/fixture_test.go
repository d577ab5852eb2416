package mapping

import (
	"context"
	"maps"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// clinicData is the data of a bundle that uses the shipped mapping.
const clinicData = `{"http": {
	"routes": [
		{"path": "/patients/{id}", "type": "patient", "id": "{id}"},
		{"path": "/patients/{patient}/records/{record}", "type": "patient_record", "id": "{record}"}
	],
	"principals": {"type": "service", "prefix": "spiffe://example/"}
}}`

// ruleOf prepares the rule of a bundle of some data and policy, with the library.
func ruleOf(tb testing.TB, data, policy string) eval.Rule {
	tb.Helper()
	files := fstest.MapFS{
		"b/authz.rego": {Data: []byte("package authz\n\nallow := false\n")},
		"b/data.json":  {Data: []byte(data)},
	}
	if policy != "" {
		files["b/http.rego"] = &fstest.MapFile{Data: []byte(policy)}
	}
	b, err := bundle.ReadFS(files, "b")
	if err != nil {
		tb.Fatal(err)
	}
	library, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		tb.Fatal(err)
	}
	compiled, err := rego.Compile(b.With(library), rego.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	rule, err := closure.New().PrepareRule(tb.Context(), compiled, RuleName)
	if err != nil {
		tb.Fatal(err)
	}
	return rule
}

// A decideFunc decides by a function.
type decideFunc func(*authz.Request) (authz.Decision, error)

func (f decideFunc) Decide(_ context.Context, request *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
	return f(request)
}

func answering(decision authz.Decision) decideFunc {
	decision.ID = "d1"
	return func(*authz.Request) (authz.Decision, error) { return decision, nil }
}

// A valueFunc is a rule that is a function.
type valueFunc func(context.Context, eval.Input) (any, bool, error)

func (f valueFunc) Value(ctx context.Context, in eval.Input) (any, bool, error) { return f(ctx, in) }

func newMapper(rule eval.Rule, decider Decider) *Mapper {
	return New(Options{
		Rule:    func(string) (eval.Rule, error) { return rule, nil },
		Decider: decider,
		Logger:  zap.NewNop(),
		Clock:   func() time.Time { return time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC) },
	})
}

// readPatient is a message that maps.
func readPatient() *Message {
	return &Message{
		Tenant: "clinic", Method: "GET", Scheme: "https", Host: "Records.Example:8443", Target: "/patients/7?full=1",
		Headers: map[string]string{"accept": "text/html"}, Address: "10.0.0.7", Principal: "spiffe://example/web",
	}
}

// with is a message with something else in it.
func with(change func(*Message)) *Message {
	m := readPatient()
	m.Headers = maps.Clone(m.Headers)
	change(m)
	return m
}
