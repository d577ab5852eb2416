package rego

import (
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// refuseEndlessMocks refuses a with that puts a rule in the place of a function
// that the rule itself calls, be it by way of others:
//
//	allow if level == 1 with rank as level
//	level := rank(input.subject)
//
// OPA evaluates the rule for each call of the function, and so in itself, until
// the stack is used up and with it the process. Its compiler looks for rules that
// depend on themselves, but not by way of a with.
func refuseEndlessMocks(compiler *ast.Compiler) *ast.Error {
	m := newMocks(compiler)
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		m.note(compiler.Modules[name])
	}
	return m.endless()
}

// EndlessMock is the error of a compiled query that puts a rule in the place of a
// function as refuseEndlessMocks has it, over modules that do not; nil for other
// queries.
func EndlessMock(compiler *ast.Compiler, query ast.Body) *ast.Error {
	m := newMocks(compiler)
	for _, module := range compiler.Modules {
		m.note(module)
	}
	m.note(query)
	return m.endless()
}

// mocks are the rules that take the place of functions.
type mocks struct {
	compiler *ast.Compiler
	all      []mock
	by       map[string][]*ast.Rule // the functions' names
}

type mock struct {
	function string
	with     *ast.With
	rules    []*ast.Rule
}

func newMocks(compiler *ast.Compiler) *mocks {
	return &mocks{compiler: compiler, by: make(map[string][]*ast.Rule)}
}

// note notes the rules that take the place of functions in a module or body.
func (m *mocks) note(in any) {
	o := orderer{m.compiler}
	ast.WalkWiths(in, func(with *ast.With) bool {
		value, isRef := with.Value.Value.(ast.Ref)
		if !isRef || !o.replacesFunction(with) {
			return false
		}
		rules := m.compiler.GetRulesExact(value)
		rules = slices.DeleteFunc(slices.Clone(rules), func(rule *ast.Rule) bool { return len(rule.Head.Args) > 0 })
		if len(rules) > 0 {
			name := with.Target.String()
			m.all = append(m.all, mock{name, with, rules})
			m.by[name] = append(m.by[name], rules...)
		}
		return false
	})
}

// endless is the error of the first rule that calls the function whose place it
// takes.
func (m *mocks) endless() *ast.Error {
	for _, one := range m.all {
		if m.leadTo(one.rules, one.function, make(map[*ast.Rule]bool)) {
			return ast.NewError(ast.RecursionErr, one.with.Loc(),
				"%v takes the place of %v, which it calls itself: put a rule in its place that does not, or a value", one.with.Value, one.with.Target)
		}
	}
	return nil
}

// leadTo reports whether rules call a function, or ask for what does.
func (m *mocks) leadTo(rules []*ast.Rule, function string, seen map[*ast.Rule]bool) bool {
	return slices.ContainsFunc(rules, func(rule *ast.Rule) bool {
		if seen[rule] {
			return false
		}
		seen[rule] = true
		found := false
		for _, ref := range refsIn(rule) {
			name := ref.String()
			found = found || name == function || m.leadTo(m.by[name], function, seen) ||
				m.leadTo(m.compiler.GetRulesDynamicWithOpts(ref, ast.RulesOptions{}), function, seen)
		}
		return found
	})
}

// refsIn are the references in a rule, those to the functions that it calls among
// them, and not those to what a with replaces.
func refsIn(rule *ast.Rule) []ast.Ref {
	replaced := make(map[*ast.Term]bool)
	ast.WalkWiths(rule, func(with *ast.With) bool {
		replaced[with.Target] = true
		return false
	})
	var refs []ast.Ref
	ast.WalkTerms(rule, func(term *ast.Term) bool {
		if ref, isRef := term.Value.(ast.Ref); isRef && !replaced[term] {
			refs = append(refs, ref)
		}
		return false
	})
	return refs
}
