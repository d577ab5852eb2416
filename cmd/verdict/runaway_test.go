package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// runaways is a policy that goes on without end, or grows without bound, when the
// action says so.
const runaways = `package authz

import rego.v2

allow if input.action.name == "read"

allow if {
	input.action.name == "iterate"
	some a in input.context.list
	some b in input.context.list
	some c in input.context.list
	a + b + c < 0
}

allow if {
	input.action.name == "reach"
	count(graph.reachable_paths(input.context.graph, {"a0"})) == 0
}

allow if {
	input.action.name == "grow"
	count(text40) == 0
}

text0 := input.subject.id
`

// TestRunawaysLeaveTheServerServing asks a server for several decisions at once
// that its limits end, and meanwhile for others.
func TestRunawaysLeaveTheServerServing(t *testing.T) {
	bundle := t.TempDir()
	policy := runaways
	for i := range 40 {
		policy += fmt.Sprintf("text%d := concat(\"\", [text%d, text%d])\n", i+1, i, i)
	}
	write(t, filepath.Join(bundle, "authz.rego"), policy)
	const limit = time.Second
	cfg := defaultConfig()
	cfg.Limits.Evaluation = duration(limit)
	_, r := startService(t, cfg, bundleAt(authz.DefaultTenant, tenantConfig{Bundle: bundle}))
	conn, err := r.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := verdictv1.NewAccessServiceClient(conn)
	graph := map[string]any{}
	for i := range 500 {
		next := []any{fmt.Sprintf("a%d", i+1), fmt.Sprintf("b%d", i+1)}
		graph[fmt.Sprintf("a%d", i)], graph[fmt.Sprintf("b%d", i)] = next, next
	}
	list := make([]any, 2_000)
	for i := range list {
		list[i] = float64(i)
	}
	large, err := structpb.NewStruct(map[string]any{"graph": graph, "list": list})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(action string, context *structpb.Struct) (*verdictv1.CheckAccessResponse, time.Duration) {
		start := time.Now()
		response, err := client.CheckAccess(t.Context(), &verdictv1.CheckAccessRequest{
			Subject: &verdictv1.Subject{Type: "user", Id: "mina"}, Action: &verdictv1.Action{Name: action},
			Resource: &verdictv1.Resource{Type: "document", Id: "plan"}, Context: context,
		})
		if err != nil {
			t.Error(err)
		}
		return response, time.Since(start)
	}
	var asking sync.WaitGroup
	for range 2 {
		for _, action := range []string{"iterate", "reach", "grow"} {
			asking.Go(func() {
				response, took := ask(action, large)
				if response.GetAllowed() || response.GetError().GetKind() != verdictv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED {
					t.Errorf("%s: %v, want a deny by a limit", action, response)
				}
				if message := response.GetError().GetMessage(); !strings.Contains(message, "limit") {
					t.Errorf("%s: the error does not tell: %s", action, message)
				}
				if took > 3*limit && !testing.Short() { // which the race detector is run with: it takes its own time
					t.Errorf("%s was stopped after %v, more than three times the limit of %v", action, took, limit)
				}
			})
		}
	}
	for range 10 {
		if response, _ := ask("read", nil); !response.GetAllowed() {
			t.Errorf("meanwhile: %v", response)
		}
	}
	asking.Wait()
	if response, _ := ask("read", nil); !response.GetAllowed() {
		t.Errorf("afterwards: %v", response)
	}
}
