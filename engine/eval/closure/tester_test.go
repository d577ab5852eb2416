package closure

import (
	"context"
	"io/fs"
	"maps"
	"math"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	ours "github.com/verdictpdp/verdict/policy/rego"
)

// OPA's own test runner, on this evaluator, passes the tests of the bundles that
// are shipped.
func TestShippedBundlesByOPAsTester(t *testing.T) {
	lib := shipped(t, "lib")
	for name, b := range map[string]*bundle.Bundle{
		"lib": lib, "workforce": shipped(t, "workforce").With(lib), "customer": shipped(t, "customer").With(lib), "hybrid": shipped(t, "hybrid").With(lib),
	} {
		t.Run(name, func(t *testing.T) {
			target := "verdict.closure.test." + name // OPA keeps a table for the whole process
			directory := piptest.New(name)
			if lines, err := fs.ReadFile(bundles.FS, name+"/directory.jsonl"); err == nil {
				directory.Write(piptest.Lines(t, string(lines))...)
			}
			rego.RegisterPlugin(target, plugin{target, ast.NewTerm(ast.MustInterfaceToValue(b.Data)), directory})
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
		})
	}
}

func shipped(t *testing.T, name string) *bundle.Bundle {
	t.Helper()
	b, err := bundle.ReadFS(bundles.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A plugin brings the evaluator to OPA's tools.
type plugin struct {
	target    string
	static    *ast.Term
	directory *piptest.Directory
}

func (p plugin) IsTarget(target string) bool { return target == p.target }

func (p plugin) PrepareForEval(_ context.Context, plan *ir.Policy, _ ...rego.PrepareOption) (rego.TargetPluginEval, error) {
	x, err := newExecutable(source{plan: plan, static: p.static})
	return prepared{x, p}, err
}

type prepared struct {
	executable *executable
	plugin
}

func (p prepared) Eval(ctx context.Context, e *rego.EvalContext, _ ast.Value) (ast.Value, error) {
	reader := pip.NewCache(pip.Options{}).Reader(p.directory.Latest(), math.MaxInt)
	r := run{ctx: ctx, static: p.static, directory: reader, now: time.Now(), steps: math.MaxInt64}
	if input := e.ParsedInput(); input != nil {
		r.input = ast.NewTerm(input)
	}
	m := p.executable.machine(r)
	defer p.executable.release(m)
	if err := p.executable.run(m); err != nil {
		return nil, err
	}
	return ast.NewSet(m.answers...), nil
}
