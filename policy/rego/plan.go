package rego

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/rego"
)

// Plan is OPA's intermediate representation of a query over the modules that
// compiler has compiled. An error says what the planner cannot take; it panics
// on some policies with a with on functions, and that is an error too.
//
// The compiler is not to be used by anybody else meanwhile.
//
// OPA's planner is not exported. It is handed to whoever registers an evaluator
// of plans, so that is what this does: one that keeps the plan.
func Plan(ctx context.Context, compiler *ast.Compiler, query ast.Body) (plan *ir.Policy, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			plan, err = nil, fmt.Errorf("OPA's planner panics: %v", fault)
		}
	}()
	registerPlanner()
	if o := (orderer{compiler}); o.isOutOfOrder(query) {
		query = query.Copy()
		o.order(query)
	}
	var kept *ir.Policy
	options := []func(*rego.Rego){
		// OPA sets the compiler to plan, which is not for whoever uses it next: it is
		// given one of its own.
		rego.Compiler(ordered(compiler)),
		rego.ParsedQuery(query),
		rego.Target(planTarget),
	}
	for _, s := range standIns {
		options = append(options, s.function())
	}
	_, err = rego.New(options...).PrepareForEval(context.WithValue(ctx, keptPlan{}, &kept))
	if err != nil {
		return nil, err
	}
	return kept, nil
}

// planTarget is the name that a query is planned under.
const planTarget = "verdict.plan"

// keptPlan is where a context says to keep the plan.
type keptPlan struct{}

// registerPlanner adds the planner to OPA's evaluators, which are a table of
// the whole process.
var registerPlanner = sync.OnceFunc(func() { rego.RegisterPlugin(planTarget, planner{}) })

// A planner is an evaluator to OPA that keeps plans and evaluates none.
type planner struct{}

// IsTarget reports whether a target is meant for the planner.
func (planner) IsTarget(target string) bool { return target == planTarget }

// PrepareForEval keeps the plan where the context says.
func (p planner) PrepareForEval(ctx context.Context, policy *ir.Policy, _ ...rego.PrepareOption) (rego.TargetPluginEval, error) {
	*ctx.Value(keptPlan{}).(**ir.Policy) = policy
	return p, nil
}

// Eval is not called.
func (planner) Eval(context.Context, *rego.EvalContext, ast.Value) (ast.Value, error) {
	return nil, errors.New("a plan is kept, not evaluated")
}
