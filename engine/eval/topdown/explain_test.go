package topdown_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Of a policy that makes very many queries, what stands around them is remembered.
func TestRulesAroundManyQueriesAreExplained(t *testing.T) {
	c := evaltest.Case{Rego: `
allow if {
	every i in numbers.range(1, 40000) { small(i) }
	input.action.name == "read"
}
small(i) if i < 100000
`}
	in := c.Input(t)
	in.Explain = true
	out, err := c.Prepare(t, topdown.New()).Eval(t.Context(), in)
	if err != nil || !out.Allow {
		t.Fatalf("allow is %v, error %v", out.Allow, err)
	}
	for _, rule := range out.Explanation.Rules {
		if !rule.Held {
			t.Errorf("%s is told as one that does not hold: %+v", rule.Rule, rule)
		}
	}
}

// An explanation runs the policy twice, and whoever is asked over the network is
// asked once.
func TestExplainingAsksTheNetworkOnce(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%d", asked.Add(1))
	}))
	defer server.Close()
	b, err := bundle.ReadFS(fstest.MapFS{"authz.rego": {Data: fmt.Appendf(nil, `package authz

allow if http.send({"method": "POST", "url": %q}).raw_body == "1"
`, server.URL)}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := rego.Compile(b, rego.Options{Builtins: []string{"http.send"}})
	if err != nil {
		t.Fatal(err)
	}
	program, err := topdown.New().Prepare(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	out, err := program.Eval(t.Context(), eval.Input{
		Request:   &authz.Request{Tenant: "t"},
		Directory: pip.NewCache(pip.Options{}).Reader(piptest.New("t").Latest(), 1),
		Now:       time.Now(),
		Explain:   true,
	})
	if err != nil || !out.Allow || asked.Load() != 1 {
		t.Errorf("asked %d times, allow %v, error %v", asked.Load(), out.Allow, err)
	}
}
