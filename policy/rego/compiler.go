package rego

import (
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/bundle"
)

// newCompiler is a compiler for the modules of b. It finds rules that stand
// where b has static data, of which an evaluator would see only one, values that
// OPA's type checker could not come to the end of, and rules that its evaluator
// could not.
func newCompiler(b *bundle.Bundle, opts Options) (*ast.Compiler, error) {
	capabilities, err := capabilities(opts.Builtins)
	if err != nil {
		return nil, err
	}
	static := b.Data // the compiler stays, and what else is in b need not
	return ast.NewCompiler().
		WithCapabilities(capabilities).
		WithDefaultRegoVersion(ast.RegoV1).
		WithPathConflictsCheck(func(path []string) (bool, error) { return defined(static, path), nil }).
		WithStageAfterID(ast.StageCheckRecursion, ast.CompilerStageDefinition{
			Name:       "RefuseLargeShapes",
			MetricName: "compile_stage_refuse_large_shapes",
			Stage:      refuseLargeShapes,
		}).
		WithStageAfterID(ast.StageCheckRecursion, ast.CompilerStageDefinition{
			Name:       "RefuseEndlessMocks",
			MetricName: "compile_stage_refuse_endless_mocks",
			Stage:      refuseEndlessMocks,
		}), nil
}

// restBetweenStages has a compiler rest after each of its stages.
func restBetweenStages(compiler *ast.Compiler, rest func()) {
	if rest == nil {
		return
	}
	for _, stage := range ast.AllStages() {
		compiler.WithStageAfterID(stage, ast.CompilerStageDefinition{
			Name:       "RestAfter" + string(stage),
			MetricName: "compile_stage_rest",
			Stage:      func(*ast.Compiler) *ast.Error { rest(); return nil },
		})
	}
}

// replacing says of a function that is missing from a package which the bundle
// took from the library why it is missing: the place of the call may be the
// library's, and the fault is not.
func replacing(b *bundle.Bundle, found ast.Errors) ast.Errors {
	for i, e := range found {
		name, undefined := strings.CutPrefix(e.Message, undefinedFunction)
		if !undefined {
			continue
		}
		for _, pkg := range b.Replaced {
			if strings.HasPrefix(name, pkg+".") {
				found[i] = &ast.Error{Code: e.Code, Location: e.Location, Message: fmt.Sprintf(
					"%s: package %s of bundle %s takes the place of the library's as a whole: define there what others use of it, or name the package otherwise",
					e.Message, strings.TrimPrefix(pkg, "data."), b.Name)}
			}
		}
	}
	return found
}

// undefinedFunction begins the compiler's finding about a call of nothing.
const undefinedFunction = "undefined function "

// Invalid makes the compiler's findings one error of kind Invalid, with a
// violation for each whose field is file:line.
func Invalid(err error) error {
	var found ast.Errors
	if errors.As(err, &found) {
		for i, e := range found {
			found[i] = explained(e)
		}
		err = found
	}
	return bundle.Invalid(err)
}

// explained says of a call that is undefined only because the function is
// turned off how to turn it on.
func explained(e *ast.Error) *ast.Error {
	name, undefined := strings.CutPrefix(e.Message, undefinedFunction)
	if !undefined || !gated()[name] {
		return e
	}
	return &ast.Error{
		Code:     e.Code,
		Location: e.Location,
		Message:  name + " is turned off, since its result may differ from one evaluation to the next: do without it, or turn it on for the tenant with builtins: [" + name + "]",
	}
}

// defined reports whether data has a member at the path.
func defined(data map[string]any, path []string) bool {
	var node any = data
	for _, name := range path {
		object, _ := node.(map[string]any)
		member, found := object[name]
		if !found {
			return false
		}
		node = member
	}
	return true
}
