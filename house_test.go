package verdict_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// The walls of the house, held by a test. Arrows run cmd → engine → policy →
// api, and what a wall keeps out is said with the reason for the wall.

const (
	module = "github.com/verdictpdp/verdict/"
	opa    = "github.com/open-policy-agent/opa/"
	badger = "github.com/dgraph-io/badger/"
)

// A wall is one rule of the house. broken lists where a package breaks it.
type wall struct {
	name, reason string
	broken       func(goPackage) []string
}

func walls() []wall {
	return []wall{
		{
			"arrows", "what is below must be usable, testable and understandable without what is above: cmd → engine → policy → api",
			arrows,
		},
		{
			"nouns", "api/authz is what everything else speaks, so it must weigh nothing: standard library only",
			imports(in("api/authz"), anything, standardLibrary),
		},
		{
			"hierarchy", "the graph is pure, so that a model can be held against it: api/authz and the standard library only",
			imports(in("engine/hierarchy"), anything, standardLibrary, ours("api/authz")),
		},
		{
			"store", "how records lie on disk is known in one place: only engine/store imports Badger",
			imports(outside("engine/store"), startsWith(badger)),
		},
		{
			"compiler", "what OPA's compiler is told, capabilities above all, is decided in one place: only policy/rego imports what compiles",
			// evaltest does, to have OPA's own tester run an evaluator.
			imports(outside("policy/rego", "engine/eval/evaltest"), startsWith(opa+"v1/rego", opa+"v1/compile", opa+"rego", opa+"compile", opa+"internal/planner"), besidePlainOPA),
		},
		{
			"compiler calls", "what OPA's compiler is told, capabilities above all, is decided in one place: only policy/rego makes one",
			// evaltest does, to compile OPA's own cases as OPA's tests do.
			uses(outside("policy/rego", "engine/eval/evaltest"), opa+"v1/ast", "NewCompiler", "CompileModules", "CompileModulesWithOpt", "MustCompileModules", "MustCompileModulesWithOpts"),
		},
		{
			"values", "OPA's values are what policies compute with; the nouns at the edges are those of api/authz",
			imports(outside("policy", "engine/eval", "engine/pip", "benchmarks"), startsWith(opa), testsOf("engine"), besidePlainOPA),
		},
		{
			"evaluation", "OPA's evaluator and its store stay behind eval.Evaluator; policy/suite runs Rego tests, which are OPA's own",
			imports(outside("engine/eval", "policy/suite"), startsWith(opa+"v1/topdown", opa+"v1/storage"), besidePlainOPA),
		},
		{
			"metrics", "who is told what happens is told by a small interface, so that it can be tried and read without metrics: only engine/metrics imports Prometheus",
			imports(outside("engine/metrics"), startsWith("github.com/prometheus")),
		},
		{
			"tracing", "a request is traced where it comes in and around its decision, and by nothing where tracing is off: only engine/tracing imports OpenTelemetry",
			imports(outside("engine/tracing"), startsWith("go.opentelemetry.io"), testsOf("cmd/verdict")),
		},
		{
			"servers", "each protocol stands for itself; what two of them share is engine/server/status or engine/server/wire, or belongs behind them",
			imports(in("engine/server"), startsWith(module+"engine/server/"), ours("engine/server/status", "engine/server/wire"), itself),
		},
		{
			"wire", "wire types stay at the edge: only its server and its clients know verdict.v1",
			imports(outside("api/verdict/v1", "api/client", "engine/server/grpcapi", "cmd/verdict", "benchmarks"), startsWith(module+"api/verdict/")),
		},
		{
			"client", "an application takes the client along with all that it imports: the nouns, the wire, gRPC and the standard library",
			imports(in("api/client"), anything, standardLibrary, ours("api/authz", "api/verdict/v1"),
				startsWith("google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc"), testsOf("api/client")),
		},
		{
			"determinism", "policy is the same in CI as in service: no network, no randomness, no other process",
			imports(in("policy"), startsWith("net", "math/rand", "crypto/rand", "os/exec"), testsOf("policy")),
		},
		{
			"clock", "a decision's time is given, and the policy that is tried in CI is the one that serves: nothing in policy looks at the clock",
			// policy/suite does, to say how long a test took.
			uses(in("policy/rego", "policy/bundle"), "time", "Now", "Since", "Until", "After", "NewTimer", "NewTicker", "Tick"),
		},
		{
			"loggers", "loggers are passed in, so that a test sees what is logged: no global one",
			uses(everywhere, "go.uber.org/zap", "L", "S", "ReplaceGlobals"),
		},
		{
			"init", "nothing happens because a package was imported: what is needed is made in serve.go",
			// gRPC takes what chooses between servers by its name, and before anything runs.
			noInit("api/client/balance.go"),
		},
		{
			"documentation", "a newcomer reads the package's doc first: there is exactly one, and it begins with the package's name",
			onePackageDoc,
		},
		{
			"names", "a package is named after its idea, and a type after what it is",
			names,
		},
		{
			"size", "a file is small enough to hold in the head: when one grows, look for the second idea in it",
			size,
		},
	}
}

func TestWalls(t *testing.T) {
	packages, err := load(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) < 10 {
		t.Fatalf("only %d packages were found", len(packages))
	}
	for _, wall := range walls() {
		t.Run(wall.name, func(t *testing.T) {
			for _, p := range packages {
				for _, where := range wall.broken(p) {
					t.Errorf("%s\n\tbecause %s", where, wall.reason)
				}
			}
		})
	}
}

// A wall that nothing can break holds nothing: each is broken here once, and
// each exception is shown to be one.
func TestWallsCatch(t *testing.T) {
	file := func(name string, lines ...string) fstest.MapFS {
		return fstest.MapFS{name: {Data: []byte("// Package x is.\npackage x\n" + strings.Join(lines, "\n"))}}
	}
	importing := func(name, imported string) fstest.MapFS { return file(name, `import _ "`+imported+`"`) }
	calling := func(name, imported, call string) fstest.MapFS {
		return file(name, `import "`+imported+`"`, "var _ = "+call)
	}
	tests := []struct {
		name, wall string
		tree       fstest.MapFS
		want       int
	}{
		{"policy imports engine", "arrows", importing("policy/x/x.go", module+"engine/store"), 1},
		{"policy's test imports engine", "arrows", importing("policy/x/x_test.go", module+"engine/store"), 1},
		{"api imports policy", "arrows", importing("api/x/x.go", module+"policy/rego"), 1},
		{"the client imports engine", "arrows", importing("api/client/x.go", module+"engine/pdp"), 1},
		{"the client's test imports engine", "arrows", importing("api/client/x_test.go", module+"engine/pdp"), 0},
		{"the client's test imports cmd", "arrows", importing("api/client/x_test.go", module+"cmd/verdict"), 1},
		{"engine imports cmd", "arrows", importing("engine/x/x.go", module+"cmd/verdict"), 1},
		{"engine imports policy", "arrows", importing("engine/x/x.go", module+"policy/rego"), 0},
		{"engine imports the shipped bundles", "arrows", importing("engine/x/x.go", module+"bundles"), 1},
		{"engine's test imports the shipped bundles", "arrows", importing("engine/x/x_test.go", module+"bundles"), 0},
		{"the nouns import zap", "nouns", importing("api/authz/x.go", "go.uber.org/zap"), 1},
		{"the hierarchy imports the store", "hierarchy", importing("engine/hierarchy/x.go", module+"engine/store"), 1},
		{"the hierarchy imports the nouns", "hierarchy", importing("engine/hierarchy/x.go", module+"api/authz"), 0},
		{"the directory imports Badger", "store", importing("engine/directory/x.go", badger+"v4"), 1},
		{"the store imports Badger", "store", importing("engine/store/x.go", badger+"v4"), 0},
		{"topdown imports rego", "compiler", importing("engine/eval/topdown/x.go", opa+"v1/rego"), 1},
		{"the suite makes a compiler", "compiler calls", calling("policy/suite/x.go", opa+"v1/ast", "ast.NewCompiler()"), 1},
		{"the suite makes a compiler under another name", "compiler calls", file("policy/suite/x.go", `import o "`+opa+`v1/ast"`, "var _ = o.NewCompiler"), 1},
		{"policy/rego makes a compiler", "compiler calls", calling("policy/rego/x.go", opa+"v1/ast", "ast.NewCompiler()"), 0},
		{"a server imports OPA's values", "values", importing("engine/server/x/x.go", opa+"v1/ast"), 1},
		{"a test of the command stands beside plain OPA", "values", importing("cmd/verdict/x_test.go", opa+"v1/rego"), 0},
		{"the point imports topdown", "evaluation", importing("engine/pdp/x.go", opa+"v1/topdown"), 1},
		{"the point imports Prometheus", "metrics", importing("engine/pdp/x.go", "github.com/prometheus/client_golang/prometheus"), 1},
		{"the metrics import Prometheus", "metrics", importing("engine/metrics/x.go", "github.com/prometheus/client_golang/prometheus"), 0},
		{"the point imports OpenTelemetry", "tracing", importing("engine/pdp/x.go", "go.opentelemetry.io/otel"), 1},
		{"a test of the command is a collector", "tracing", importing("cmd/verdict/x_test.go", "go.opentelemetry.io/proto/otlp/trace/v1"), 0},
		{"a server imports another", "servers", importing("engine/server/authzen/x.go", module+"engine/server/grpcapi"), 1},
		{"a server imports status", "servers", importing("engine/server/authzen/x.go", module+"engine/server/status"), 0},
		{"the point imports the wire", "wire", importing("engine/pdp/x.go", module+"api/verdict/v1"), 1},
		{"the client imports the wire", "wire", importing("api/client/x.go", module+"api/verdict/v1"), 0},
		{"the client imports zap", "client", importing("api/client/x.go", "go.uber.org/zap"), 1},
		{"the client imports policy", "client", importing("api/client/pep/x.go", module+"policy/bundle"), 1},
		{"the client imports gRPC", "client", importing("api/client/x.go", "google.golang.org/grpc/codes"), 0},
		{"the client's test imports zap", "client", importing("api/client/x_test.go", "go.uber.org/zap"), 0},
		{"policy imports net/http", "determinism", importing("policy/x/x.go", "net/http"), 1},
		{"policy imports a package whose name begins like net", "determinism", importing("policy/x/x.go", "netip"), 0},
		{"policy looks at the clock", "clock", calling("policy/rego/x.go", "time", "time.Now()"), 1},
		{"policy names a duration", "clock", calling("policy/rego/x.go", "time", "time.Second"), 0},
		{"a global logger", "loggers", calling("cmd/verdict/x.go", "go.uber.org/zap", "zap.L()"), 1},
		{"an init function", "init", file("engine/x/x.go", "func init() {}"), 1},
		{"a method named init", "init", file("engine/x/x.go", "type a int", "func (a) init() {}"), 0},
		{"what gRPC is told of before anything runs", "init", file("api/client/balance.go", "func init() {}"), 0},
		{"an init function in generated code", "init", file("api/x/x.pb.go", "func init() {}"), 0},
		{"no package doc", "documentation", fstest.MapFS{"engine/x/x.go": {Data: []byte("package x")}}, 1},
		{
			"two package docs", "documentation",
			fstest.MapFS{"engine/x/a.go": {Data: []byte("// Package x is.\npackage x")}, "engine/x/b.go": {Data: []byte("// Package x is.\npackage x")}}, 1,
		},
		{"a doc of another package", "documentation", fstest.MapFS{"engine/x/x.go": {Data: []byte("// Package y is.\npackage x")}}, 1},
		{"a command's doc", "documentation", fstest.MapFS{"cmd/x/x.go": {Data: []byte("// Command x does.\npackage main")}}, 0},
		{"a package of tests alone", "documentation", fstest.MapFS{"x_test.go": {Data: []byte("package x_test")}}, 0},
		{"a package named util", "names", fstest.MapFS{"engine/util/x.go": {Data: []byte("package util")}}, 1},
		{"a type named Engine", "names", file("engine/x/x.go", "type Engine struct{}"), 1},
		{"a long file", "size", file("engine/x/x.go", strings.Repeat("\n", maxLines)), 1},
		{"a file of the limit", "size", file("engine/x/x.go", strings.Repeat("\n", maxLines-2)), 0},
		{"a long file of tests", "size", file("engine/x/x_test.go", strings.Repeat("\n", maxTestLines)), 1},
	}
	byName := map[string]wall{}
	for _, wall := range walls() {
		byName[wall.name] = wall
	}
	caught := map[string]bool{}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			packages, err := load(tt.tree)
			if err != nil {
				t.Fatal(err)
			}
			var broken []string
			for _, p := range packages {
				broken = append(broken, byName[tt.wall].broken(p)...)
			}
			if len(broken) != tt.want {
				t.Errorf("the wall %q is broken at %q, want %d places", tt.wall, broken, tt.want)
			}
			caught[tt.wall] = caught[tt.wall] || tt.want > 0
		})
	}
	for name := range byName {
		if !caught[name] {
			t.Errorf("no case breaks the wall %q", name)
		}
	}
}

// A goPackage is the Go files of one directory.
type goPackage struct {
	path  string // from the root, "." for the root itself
	files []goFile
}

type goFile struct {
	path  string
	test  bool
	lines int
	ast   *ast.File
}

func (f goFile) generated() bool {
	return ast.IsGenerated(f.ast) || strings.HasSuffix(f.path, ".pb.go")
}

// load parses the Go files of a module, whatever their build tags.
func load(tree fs.FS) ([]goPackage, error) {
	packages := map[string]goPackage{}
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			hidden := strings.HasPrefix(entry.Name(), ".") && name != "."
			_, isModule := fs.Stat(tree, path.Join(name, "go.mod"))
			if hidden || entry.Name() == "testdata" || (isModule == nil && name != ".") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments)
		if err != nil {
			return err
		}
		p := packages[path.Dir(name)]
		p.path = path.Dir(name)
		p.files = append(p.files, goFile{
			path:  name,
			test:  strings.HasSuffix(name, "_test.go"),
			lines: strings.Count(string(source), "\n"),
			ast:   parsed,
		})
		packages[p.path] = p
		return nil
	})
	var sorted []goPackage
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		sorted = append(sorted, packages[name])
	}
	return sorted, err
}

// A where says whether a wall stands around a package.
type where func(p goPackage) bool

func everywhere(goPackage) bool { return true }

func in(places ...string) where {
	return func(p goPackage) bool {
		return slices.ContainsFunc(places, func(place string) bool { return isBelow(p.path, place) })
	}
}

func outside(places ...string) where {
	inside := in(places...)
	return func(p goPackage) bool { return !inside(p) }
}

// isBelow reports whether a path is a place or lies below it.
func isBelow(name, place string) bool {
	return name == place || strings.HasPrefix(name, strings.TrimSuffix(place, "/")+"/")
}

// A match says whether an import by a file is meant.
type match func(p goPackage, f goFile, imported string) bool

func anything(goPackage, goFile, string) bool { return true }

func startsWith(prefixes ...string) match {
	return func(_ goPackage, _ goFile, imported string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return isBelow(imported, prefix) })
	}
}

func standardLibrary(_ goPackage, _ goFile, imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

func ours(places ...string) match {
	return func(_ goPackage, _ goFile, imported string) bool {
		return slices.ContainsFunc(places, func(place string) bool { return imported == module+place })
	}
}

// itself is the import of a package by its own external tests.
func itself(p goPackage, _ goFile, imported string) bool { return imported == module+p.path }

// testsOf are the imports by tests in some places.
func testsOf(places ...string) match {
	around := in(places...)
	return func(p goPackage, f goFile, _ string) bool { return f.test && around(p) }
}

// besidePlainOPA are the imports of what stands beside plain OPA: the tests that
// hold the command's answers against its own, and the benchmarks.
func besidePlainOPA(p goPackage, f goFile, _ string) bool {
	return f.test && p.path == "cmd/verdict" || isBelow(p.path, "benchmarks/engines")
}

// testTools are what tests may import wherever they stand.
func testTools(_ goPackage, f goFile, imported string) bool {
	return f.test && slices.ContainsFunc([]string{"github.com/google/go-cmp/", "pgregory.net/rapid"},
		func(tool string) bool { return strings.HasPrefix(imported, tool) })
}

// imports forbids what matches, except for the exceptions.
func imports(around where, forbidden match, exceptions ...match) func(goPackage) []string {
	exceptions = append(exceptions, testTools)
	return func(p goPackage) (broken []string) {
		if !around(p) {
			return nil
		}
		for _, f := range p.files {
			for _, imported := range importsOf(f) {
				isException := slices.ContainsFunc(exceptions, func(m match) bool { return m(p, f, imported) })
				if forbidden(p, f, imported) && !isException && !itself(p, f, imported) {
					broken = append(broken, fmt.Sprintf("%s imports %s", f.path, imported))
				}
			}
		}
		return broken
	}
}

func importsOf(f goFile) []string {
	var all []string
	for _, spec := range f.ast.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			all = append(all, imported)
		}
	}
	return all
}

// uses forbids the use of some of a package's names, tests excepted.
func uses(around where, imported string, forbidden ...string) func(goPackage) []string {
	return func(p goPackage) (broken []string) {
		if !around(p) {
			return nil
		}
		for _, f := range p.files {
			local := localName(f, imported)
			if local == "" || f.test {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				selector, is := n.(*ast.SelectorExpr)
				if !is {
					return true
				}
				if from, is := selector.X.(*ast.Ident); is && from.Name == local && slices.Contains(forbidden, selector.Sel.Name) {
					broken = append(broken, fmt.Sprintf("%s uses %s.%s", f.path, local, selector.Sel.Name))
				}
				return true
			})
		}
		return broken
	}
}

// localName is what a file calls a package that it imports, or empty.
func localName(f goFile, imported string) string {
	for _, spec := range f.ast.Imports {
		if spec.Path.Value != strconv.Quote(imported) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}

// floors are the storeys of the house, from the ground up.
func floors() []string { return []string{"api", "policy", "engine", "cmd"} }

// arrows forbids imports from the floors above. The shipped bundles are data:
// they need nothing, and only cmd and tests need them.
func arrows(p goPackage) (broken []string) {
	floorOf := func(name string) int {
		return slices.IndexFunc(floors(), func(floor string) bool { return isBelow(name, floor) })
	}
	here := floorOf(p.path)
	for _, f := range p.files {
		for _, imported := range importsOf(f) {
			place, isOurs := strings.CutPrefix(imported, module)
			if !isOurs {
				continue
			}
			isData := isBelow(place, "bundles")
			// The client is tried on the server that it is for.
			if f.test && isBelow(p.path, "api/client") && (isBelow(place, "engine") || isBelow(place, "policy")) {
				continue
			}
			switch {
			case here >= 0 && floorOf(place) > here,
				isData && here >= 0 && floors()[here] != "cmd" && !f.test,
				isBelow(place, "benchmarks") && !isBelow(p.path, "benchmarks"),
				isBelow(p.path, "bundles") && !f.test && !isData:
				broken = append(broken, fmt.Sprintf("%s imports %s", f.path, imported))
			}
		}
	}
	return broken
}

// noInit forbids init functions, except in some files.
func noInit(exceptions ...string) func(goPackage) []string {
	return func(p goPackage) (broken []string) {
		for _, f := range p.files {
			for _, declaration := range f.ast.Decls {
				function, is := declaration.(*ast.FuncDecl)
				if is && function.Recv == nil && function.Name.Name == "init" && !f.generated() && !slices.Contains(exceptions, f.path) {
					broken = append(broken, f.path+" has an init function")
				}
			}
		}
		return broken
	}
}

func onePackageDoc(p goPackage) []string {
	var docs []string
	files := 0
	name := ""
	for _, f := range p.files {
		if f.test {
			continue
		}
		files++
		name = f.ast.Name.Name
		if f.ast.Doc != nil {
			docs = append(docs, f.ast.Doc.Text())
		}
	}
	start := "Package " + name + " "
	if name == "main" {
		start = "Command " + path.Base(p.path) + " "
	}
	switch {
	case files == 0:
		return nil
	case len(docs) != 1:
		return []string{fmt.Sprintf("%s has %d package docs", p.path, len(docs))}
	case !strings.HasPrefix(docs[0], start):
		return []string{fmt.Sprintf("the package doc of %s does not begin with %q", p.path, start)}
	}
	return nil
}

func names(p goPackage) (broken []string) {
	if slices.Contains([]string{"util", "utils", "common", "helpers", "misc"}, path.Base(p.path)) {
		broken = append(broken, p.path+" is named after no idea")
	}
	if !isBelow(p.path, "engine") {
		return broken
	}
	for _, f := range p.files {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if spec, is := n.(*ast.TypeSpec); is && slices.Contains([]string{"Engine", "Manager", "Service"}, spec.Name.Name) {
				broken = append(broken, fmt.Sprintf("%s has a type named %s", f.path, spec.Name.Name))
			}
			return true
		})
	}
	return broken
}

const (
	maxLines     = 500
	maxTestLines = 900
)

func size(p goPackage) (broken []string) {
	for _, f := range p.files {
		limit := maxLines
		if f.test {
			limit = maxTestLines
		}
		if f.lines > limit && !f.generated() {
			broken = append(broken, fmt.Sprintf("%s has %d lines: at most %d", f.path, f.lines, limit))
		}
	}
	return broken
}
