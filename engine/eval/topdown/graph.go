package topdown

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/policy/rego"
)

// standIns are the functions of the built-ins that package rego puts in the
// place of OPA's.
var standIns = func() map[string]*topdown.Builtin {
	functions := make(map[string]*topdown.Builtin)
	for _, s := range rego.StandIns() {
		functions[s.Decl.Name] = &topdown.Builtin{Decl: s.Decl, Func: function(s)}
	}
	return functions
}()

// function brings a stand-in to OPA's evaluator.
func function(s rego.StandIn) topdown.BuiltinFunc {
	return func(bctx topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		result, err := s.Call(operands, func() bool { return bctx.Cancel != nil && bctx.Cancel.Cancelled() })
		switch {
		case errors.Is(err, rego.ErrStopped):
			return topdown.Halt{Err: &topdown.Error{Code: topdown.CancelErr, Message: err.Error(), Location: bctx.Location}}
		case err != nil:
			return &topdown.Error{Code: codeOf(err), Message: err.Error(), Location: bctx.Location}
		}
		return iter(result)
	}
}

// codeOf is OPA's code for what is wrong with a call.
func codeOf(err error) string {
	if called, is := errors.AsType[*rego.CallError](err); is && called.OfOperand() {
		return topdown.TypeErr
	}
	return topdown.BuiltinErr
}
