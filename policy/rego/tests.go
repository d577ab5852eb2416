package rego

import (
	"errors"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/verdictpdp/verdict/policy/bundle"
)

// Tests are what OPA's test runner needs to run a bundle's tests beside its
// policy.
type Tests struct {
	// Compiler holds to the rules of Compile, and keeps calls of print. The
	// runner has it compile with stages of its own.
	Compiler *ast.Compiler
	// Modules are the policy and the tests.
	Modules map[string]*ast.Module
	// Builtins are the stand-ins, so that what is tested is what decides.
	Builtins []*tester.Builtin
}

// ForTests prepares a bundle's tests. Its errors are about the options; what is
// wrong with the modules is found when they are compiled.
func ForTests(b *bundle.Bundle, opts Options) (Tests, error) {
	compiler, err := newCompiler(b, opts)
	if err != nil {
		return Tests{}, err
	}
	restBetweenStages(compiler, opts.Rest)
	t := Tests{
		Compiler: withStandIns(compiler.WithEnablePrintStatements(true)),
		Modules:  modules(slices.Concat(b.Modules, b.TestModules)),
	}
	for _, s := range standIns {
		t.Builtins = append(t.Builtins, &tester.Builtin{Decl: s.Decl, Func: s.function()})
	}
	return t, nil
}

// function brings a stand-in to OPA's test runner.
func (s StandIn) function() func(*rego.Rego) {
	return rego.FunctionDyn(&rego.Function{Name: s.Decl.Name, Decl: s.Decl.Decl},
		func(bctx rego.BuiltinContext, operands []*ast.Term) (*ast.Term, error) {
			result, err := s.Call(operands, func() bool { return bctx.Cancel != nil && bctx.Cancel.Cancelled() })
			if errors.Is(err, ErrStopped) {
				return nil, rego.NewHaltError(err)
			}
			return result, err
		})
}

// Stopped reports whether a test's error is that of a stand-in that was told to
// stop.
func Stopped(err error) bool {
	_, halted := errors.AsType[*rego.HaltError](err)
	return halted
}
