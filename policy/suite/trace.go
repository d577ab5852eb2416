package suite

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// failedExpr is the expression at which the test rule that stands at a location
// failed, or nil where OPA does not tell. OPA's runner keeps no trace of a test
// unless it keeps those of all, so the one that failed is run once more.
func (r run) failedExpr(ctx context.Context, at *ast.Location) *ast.Expr {
	rule := r.ruleAt(at)
	if rule == nil {
		return nil
	}
	results, err := r.runner().
		SetPrefixMatchers(rule.Ref().GroundPrefix()).
		SetParallel(1).
		EnableTracing(true).
		RunTests(ctx, nil)
	if err != nil {
		return nil
	}
	var expr *ast.Expr
	for result := range results {
		if result.Location == at {
			expr = furthestFailure(result.Trace, rule)
		}
	}
	return expr
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

// furthestFailure is the last expression of the rule's own body that failed,
// counted along the body: those before it held at least once.
func furthestFailure(trace []*topdown.Event, rule *ast.Rule) *ast.Expr {
	bodies := make(map[uint64]bool)
	var furthest *ast.Expr
	for _, event := range trace {
		switch node := event.Node.(type) {
		case *ast.Rule:
			if event.Op == topdown.EnterOp && node == rule {
				bodies[event.QueryID] = true
			}
		case *ast.Expr:
			if event.Op == topdown.FailOp && bodies[event.QueryID] && (furthest == nil || node.Index >= furthest.Index) {
				furthest = node
			}
		}
	}
	return furthest
}
