package evaltest

import (
	"context"
	"io/fs"
	"maps"
	"math"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	ours "github.com/verdictpdp/verdict/policy/rego"
)

// A Planned answers the query of a plan on an input, which may be nil: with an
// object for each answer.
type Planned func(ctx context.Context, input *ast.Term, directory eval.Directory) ([]*ast.Term, error)

// A Planner makes a plan ready, over static data, an object.
type Planner func(plan *ir.Policy, static *ast.Term) (Planned, error)

// RunShippedBundles has OPA's own test runner run the tests of the bundles that
// are shipped, which stand in a file system, on an evaluator of plans.
func RunShippedBundles(t *testing.T, bundles fs.FS, plan Planner) {
	lib, err := bundle.ReadFS(bundles, "lib")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lib", "workforce", "customer", "hybrid"} {
		t.Run(name, func(t *testing.T) {
			b := lib
			if name != "lib" {
				if b, err = bundle.ReadFS(bundles, name); err != nil {
					t.Fatal(err)
				}
				b = b.With(lib)
			}
			runTests(t, bundles, name, b, plan)
		})
	}
}

func runTests(t *testing.T, bundles fs.FS, name string, b *bundle.Bundle, plan Planner) {
	directory := piptest.New(name)
	if lines, err := fs.ReadFile(bundles, name+"/directory.jsonl"); err == nil {
		directory.Write(piptest.Lines(t, string(lines))...)
	}
	static, err := ast.InterfaceToValue(b.Data)
	if err != nil {
		t.Fatal(err)
	}
	target := t.Name() // OPA keeps a table for the whole process
	rego.RegisterPlugin(target, planTarget{target, plan, ast.NewTerm(static), directory})
	tests, err := ours.ForTests(b, ours.Options{})
	if err != nil {
		t.Fatal(err)
	}
	results, err := tester.NewRunner().
		SetCompiler(tests.Compiler).
		AddCustomBuiltins(tests.Builtins).
		SetModules(tests.Modules).
		SetStore(inmem.NewFromObject(maps.Clone(b.Data))).
		Target(target).
		SetParallel(1). // OPA sets the compiler that the tests share
		RunTests(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for result := range results {
		ran++
		if result.Error != nil || result.Fail {
			t.Errorf("%s: failed %v, error %v", result.Name, result.Fail, result.Error)
		}
	}
	if ran < 20 {
		t.Errorf("only %d tests ran", ran)
	}
}

// A planTarget brings an evaluator of plans to OPA's tools.
type planTarget struct {
	name      string
	plan      Planner
	static    *ast.Term
	directory *piptest.Directory
}

// IsTarget reports whether a target is this one.
func (p planTarget) IsTarget(target string) bool { return target == p.name }

// PrepareForEval makes a plan ready.
func (p planTarget) PrepareForEval(_ context.Context, plan *ir.Policy, _ ...rego.PrepareOption) (rego.TargetPluginEval, error) {
	planned, err := p.plan(plan, p.static)
	return plannedTarget{planned, p.directory}, err
}

type plannedTarget struct {
	planned   Planned
	directory *piptest.Directory
}

// Eval answers, as a set of objects.
func (p plannedTarget) Eval(ctx context.Context, e *rego.EvalContext, _ ast.Value) (ast.Value, error) {
	var input *ast.Term
	if parsed := e.ParsedInput(); parsed != nil {
		input = ast.NewTerm(parsed)
	}
	answers, err := p.planned(ctx, input, pip.NewCache(pip.Options{}).Reader(p.directory.Latest(), math.MaxInt))
	if err != nil {
		return nil, err
	}
	return ast.NewSet(answers...), nil
}
