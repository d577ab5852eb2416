package evaltest

import (
	"sync"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest/generate"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A compiledCase is a generated case, ready to be asked.
type compiledCase struct {
	generate.Case
	policy    *rego.Policy           // as an evaluator prepares it
	modules   map[string]*ast.Module // parsed
	compiler  *ast.Compiler          // plain OPA's, as a querier takes it
	data      ast.Object
	directory *piptest.Snapshot
	cache     *pip.Cache
}

// compile compiles a case; the error is the compiler's. Many a generated policy
// does not compile.
func compile(t testing.TB, c generate.Case) (*compiledCase, error) {
	t.Helper()
	files := fstest.MapFS{"data.json": {Data: []byte(c.Data)}}
	compiled := &compiledCase{Case: c, modules: make(map[string]*ast.Module), cache: pip.NewCache(pip.Options{})}
	for name, text := range c.Modules {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	b, err := bundle.ReadFS(files, ".")
	if err != nil {
		return nil, err
	}
	for _, module := range b.Modules {
		compiled.modules[module.Path] = module.Parsed
	}
	if compiled.policy, err = rego.Compile(b, rego.Options{}); err != nil {
		return nil, err
	}
	compiled.data = compiled.policy.Data()
	compiled.compiler = newCompiler().WithKeepModules(true)
	if compiled.compiler.Compile(compiled.modules); compiled.compiler.Failed() {
		return nil, compiled.compiler.Errors
	}
	directory := piptest.New(Tenant)
	directory.Write(piptest.Lines(t, c.Directory)...)
	compiled.directory = directory.Latest()
	return compiled, nil
}

// newCompiler is plain OPA's compiler for version 1 of Rego.
func newCompiler() *ast.Compiler {
	return ast.NewCompiler().WithDefaultRegoVersion(ast.RegoV1).WithCapabilities(capabilities())
}

func parserOptions() ast.ParserOptions {
	return ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities()}
}

// capabilities are plain OPA's; making them takes longer than parsing a case.
var capabilities = sync.OnceValue(func() *ast.Capabilities { return ast.CapabilitiesForThisVersion() })

// reader reads the directory, for one evaluation.
func (c *compiledCase) reader() eval.Directory {
	const more = 10_000 // entities than any case has
	return c.cache.Reader(c.directory, more)
}

// questions are all that a case is asked.
func (c *compiledCase) questions() []question {
	var all []question
	for i := range c.Requests {
		request := c.Requests[i]
		request.Tenant = Tenant
		for _, query := range c.Queries {
			all = append(all, question{query: query, at: i, request: &request})
		}
	}
	return all
}
