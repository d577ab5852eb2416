package suite

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// failedExpr is the expression at which the test rule that stands at a location
// failed, or nil where OPA does not tell. OPA's runner traces all tests or
// none, so the one that failed is run once more.
func (r run) failedExpr(ctx context.Context, at *ast.Location) *ast.Expr {
	rule := r.ruleAt(at)
	if rule == nil {
		return nil
	}
	body := bodyTracer{rule: rule, queries: make(map[uint64]bool)}
	results, err := r.runner().
		SetPrefixMatchers(rule.Ref().GroundPrefix()).
		SetParallel(1).
		SetCoverageQueryTracer(&body).
		RunTests(ctx, nil)
	if err != nil {
		return nil
	}
	for range results { // the tracer has what matters
	}
	return body.furthest
}

func (r run) ruleAt(at *ast.Location) *ast.Rule {
	for _, module := range r.compiler.Modules {
		for _, rule := range module.Rules {
			if rule.Loc() == at {
				return rule
			}
		}
	}
	return nil
}

// A bodyTracer keeps the last expression of a rule's own body that failed,
// counted along the body: those before it held at least once.
type bodyTracer struct {
	rule     *ast.Rule
	queries  map[uint64]bool // evaluations of the rule's body
	furthest *ast.Expr
}

func (t *bodyTracer) Enabled() bool { return true }

func (t *bodyTracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (t *bodyTracer) TraceEvent(event topdown.Event) {
	switch node := event.Node.(type) {
	case *ast.Rule:
		if event.Op == topdown.EnterOp && node == t.rule {
			t.queries[event.QueryID] = true
		}
	case *ast.Expr:
		if event.Op == topdown.FailOp && t.queries[event.QueryID] && (t.furthest == nil || node.Index >= t.furthest.Index) {
			t.furthest = node
		}
	}
}
