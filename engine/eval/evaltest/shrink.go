package evaltest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval/evaltest/generate"
)

// mostAttempts bounds the time that shrinking takes.
const mostAttempts = 3_000

// Shrunk is the difference on the smallest case that was found to have one: with
// fewer rules, expressions, modifiers, data, entities and properties. A panic
// stays one.
func (d *Difference) Shrunk(t testing.TB) *Difference {
	t.Helper()
	attempts := 0
	for shrunk := true; shrunk; {
		shrunk = false
		for _, reduce := range []func(generate.Case, int) (generate.Case, bool){
			withoutModule, withoutPart, withoutData, withoutLine, withoutProperty,
		} {
			for i := 0; attempts < mostAttempts; attempts++ {
				smaller, possible := reduce(d.Case, i)
				if !possible {
					break
				}
				if _, found := d.between.Check(t, smaller); found != nil && found.got.panicked == d.got.panicked {
					d, shrunk = found, true
				} else {
					i++
				}
			}
		}
	}
	return d
}

// withoutModule leaves out a module.
func withoutModule(c generate.Case, i int) (generate.Case, bool) {
	names := slices.Sorted(maps.Keys(c.Modules))
	if i >= len(names) {
		return c, false
	}
	c.Modules = maps.Clone(c.Modules)
	delete(c.Modules, names[i])
	return c, true
}

// withoutPart leaves out the i-th part of the modules: a rule, an else branch, an
// expression, a modifier, or what is inside a term.
func withoutPart(c generate.Case, i int) (generate.Case, bool) {
	for _, name := range slices.Sorted(maps.Keys(c.Modules)) {
		module, err := ast.ParseModuleWithOpts(name, c.Modules[name], parserOptions())
		if err != nil {
			continue
		}
		cuts := cutsOf(module)
		if i >= len(cuts) {
			i -= len(cuts)
			continue
		}
		cuts[i]()
		c.Modules = maps.Clone(c.Modules)
		if text, err := format.AstWithOpts(module, format.Opts{RegoVersion: ast.RegoV1, ParserOptions: formatOptions()}); err == nil {
			c.Modules[name] = string(text)
		}
		return c, true
	}
	return c, false
}

func formatOptions() *ast.ParserOptions {
	options := parserOptions()
	return &options
}

// cutsOf are the ways to make a module smaller by a part, the larger parts
// first. Each changes the module.
func cutsOf(module *ast.Module) []func() {
	var rules, expressions, terms []func()
	for i := range module.Rules {
		rules = append(rules, func() { module.Rules = slices.Delete(module.Rules, i, i+1) })
	}
	body := func(body *ast.Body) {
		for i := range *body {
			if len(*body) > 1 {
				expressions = append(expressions, func() { *body = slices.Delete(*body, i, i+1) })
			}
		}
	}
	ast.NewGenericVisitor(func(node any) bool {
		switch node := node.(type) {
		case *ast.Rule:
			body(&node.Body)
			if node.Else != nil {
				rules = append(rules, func() { node.Else = node.Else.Else })
			}
		case *ast.Expr:
			for i := range node.With {
				expressions = append(expressions, func() { node.With = slices.Delete(node.With, i, i+1) })
			}
		case *ast.ArrayComprehension:
			body(&node.Body)
		case *ast.SetComprehension:
			body(&node.Body)
		case *ast.ObjectComprehension:
			body(&node.Body)
		case *ast.Every:
			body(&node.Body)
		case *ast.Not:
			body(&node.Body)
		case *ast.LogicalAnd:
			body(&node.Lhs)
			body(&node.Rhs)
		case *ast.LogicalOr:
			body(&node.Lhs)
			body(&node.Rhs)
		case *ast.Term:
			terms = append(terms, simpler(node)...)
		}
		return false
	}).Walk(module)
	return slices.Concat(rules, expressions, terms)
}

// simpler are the ways to put a simpler term in the place of one with parts.
func simpler(term *ast.Term) []func() {
	var simpler []*ast.Term
	switch value := term.Value.(type) {
	case ast.Call:
		simpler = append(simpler, value[1:]...)
	case *ast.Array:
		value.Foreach(func(element *ast.Term) { simpler = append(simpler, element) })
		if value.Len() > 0 {
			simpler = append(simpler, ast.ArrayTerm())
		}
	case ast.Set:
		if value.Len() > 1 {
			simpler = append(simpler, ast.SetTerm(value.Slice()[0]))
		}
	case ast.Object:
		if value.Len() > 0 {
			simpler = append(simpler, ast.ObjectTerm())
		}
	case *ast.ArrayComprehension:
		simpler = append(simpler, ast.ArrayTerm())
	case *ast.SetComprehension:
		simpler = append(simpler, ast.SetTerm())
	case *ast.ObjectComprehension:
		simpler = append(simpler, ast.ObjectTerm())
	}
	var cuts []func()
	for _, s := range simpler {
		cuts = append(cuts, func() { term.Value = s.Value })
	}
	return cuts
}

// withoutData leaves out a member of the static data or of one of its members.
func withoutData(c generate.Case, i int) (generate.Case, bool) {
	data := make(map[string]json.RawMessage)
	if json.Unmarshal([]byte(c.Data), &data) != nil {
		return c, false
	}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		var inner map[string]json.RawMessage
		if json.Unmarshal(data[name], &inner) != nil {
			inner = nil
		}
		members := slices.Sorted(maps.Keys(inner))
		switch {
		case i == 0:
			delete(data, name)
		case i <= len(members):
			delete(inner, members[i-1])
			data[name], _ = json.Marshal(inner)
		default:
			i -= 1 + len(members)
			continue
		}
		smaller, _ := json.Marshal(data)
		c.Data = string(smaller)
		return c, true
	}
	return c, false
}

// withoutLine leaves out an entity or a grant.
func withoutLine(c generate.Case, i int) (generate.Case, bool) {
	lines := slices.Collect(strings.Lines(c.Directory))
	if i >= len(lines) {
		return c, false
	}
	c.Directory = strings.Join(slices.Delete(lines, i, i+1), "")
	return c, true
}

// withoutProperty leaves out a member of the request's objects.
func withoutProperty(c generate.Case, i int) (generate.Case, bool) {
	request := c.Requests[0]
	for _, object := range []*authz.Object{&request.Context, &request.Subject.Properties, &request.Resource.Properties, &request.Action.Properties} {
		names := slices.Sorted(maps.Keys(*object))
		if i >= len(names) {
			i -= len(names)
			continue
		}
		*object = maps.Clone(*object)
		delete(*object, names[i])
		c.Requests = []authz.Request{request}
		return c, true
	}
	return c, false
}
