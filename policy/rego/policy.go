package rego

import (
	"cmp"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// DefaultPackage is the package that holds the decision unless another is
// configured.
const DefaultPackage = "authz"

// The rules that a decision is made of.
const (
	Allow       = "allow"
	Deny        = "deny"
	Reasons     = "reasons"
	Obligations = "obligations"
	Actions     = "actions"
)

// Options say how a bundle is compiled.
type Options struct {
	// Package holds the decision, such as "my.app.authz". Empty means
	// DefaultPackage.
	Package string
	// Builtins are the names of built-in functions that reach the network or
	// are not deterministic, and may be called all the same.
	Builtins []string
	// Rest, if set, is called between the steps of the compilation, so that others may
	// have their turn.
	Rest func()
}

// A Policy is a compiled bundle. It is immutable and safe for use by many
// goroutines at once.
type Policy struct {
	bundle    *bundle.Bundle
	pkg       string
	path      ast.Ref
	compiler  *ast.Compiler
	data      ast.Object
	defined   map[string]bool
	titles    map[place]string
	options   Options
	lookups   func() (*Policy, error)
	conflicts func() []Conflict
}

// Compile checks and compiles a bundle. Its errors are of kind Invalid, with a
// violation for each finding whose field is file:line.
func Compile(b *bundle.Bundle, opts Options) (*Policy, error) {
	pkg := cmp.Or(opts.Package, DefaultPackage)
	path, err := parsePackage(pkg)
	if err != nil {
		return nil, err
	}
	compiler, err := newCompiler(b, opts)
	if err != nil {
		return nil, err
	}
	withStandIns(compiler)
	restBetweenStages(compiler, opts.Rest)
	compiler.Compile(modules(b.Modules))
	if compiler.Failed() {
		return nil, Invalid(replacing(b, compiler.Errors))
	}
	p := &Policy{bundle: b.WithoutTests(), pkg: pkg, path: path, compiler: compiler, titles: titles(compiler), options: opts}
	p.options.Rest = nil // it was for this compilation
	p.lookups = sync.OnceValues(p.withLookups)
	p.conflicts = sync.OnceValue(func() []Conflict { return conflictsOf(compiler) })
	if err := p.checkDecision(); err != nil {
		return nil, err
	}
	data, err := ast.InterfaceToValue(b.Data)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "the data of bundle %s: %w", b.Name, err)
	}
	p.data = data.(ast.Object)
	return p, nil
}

// Compiler is OPA's compiler after it has compiled the policy. It must not be
// changed.
func (p *Policy) Compiler() *ast.Compiler { return p.compiler }

// Sources are the modules as they were read, under the names that the compiler
// has for them. They must not be changed.
func (p *Policy) Sources() map[string]*ast.Module { return modules(p.bundle.Modules) }

// Data is the bundle's static data. It must not be changed.
func (p *Policy) Data() ast.Object { return p.data }

// Value is the static data at a path, such as "verdict", "plan", as JSON decodes it;
// nil where there is none. It must not be changed.
func (p *Policy) Value(path ...string) any {
	var at any = p.bundle.Data
	for _, name := range path {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	return at
}

// Package is the name of the package that holds the decision, such as "authz".
func (p *Policy) Package() string { return p.pkg }

// Path is the ref of that package, such as data.authz. It must not be changed.
func (p *Policy) Path() ast.Ref { return p.path }

// Has reports whether the package defines a rule of that name, such as Deny.
func (p *Policy) Has(rule string) bool { return p.defined[rule] }

// Name is the bundle's name.
func (p *Policy) Name() string { return p.bundle.Name }

// Revision is the bundle's revision.
func (p *Policy) Revision() string { return p.bundle.Revision }

// parsePackage is the ref of a package's name, below data.
func parsePackage(name string) (ast.Ref, error) {
	path, err := ast.ParseRef("data." + name)
	named := func(t *ast.Term) bool { _, ok := t.Value.(ast.String); return ok }
	if err != nil || len(path) < 2 || slices.IndexFunc(path[1:], func(t *ast.Term) bool { return !named(t) }) >= 0 {
		return nil, authz.InvalidField("package", "%s is no name of a package: write it as in Rego, such as authz or my.app.authz", authz.Quote(name))
	}
	return path, nil
}

// modules are the parsed modules under the keys that the compiler wants. Two
// bundles may show files under the same path, then their packages differ.
func modules(list []bundle.Module) map[string]*ast.Module {
	byKey := make(map[string]*ast.Module, len(list))
	for _, m := range list {
		key := m.Path
		if _, taken := byKey[key]; taken {
			key += " (" + m.Parsed.Package.String() + ")"
		}
		byKey[key] = m.Parsed
	}
	return byKey
}
