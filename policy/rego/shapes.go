package rego

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// largestShape is how many parts a value may have that a policy writes out, with
// the parts of the parts, besides twice those that stand in the policy: tables may
// be as long as they are.
const largestShape = 50_000

// refuseLargeShapes refuses values that are written out of so many parts that
// OPA's type checker would not come to an end. It knows the type of each part, and
// compares types part by part:
//
//	x1 := [x0, x0]
//	x2 := [x1, x1]
//	…
//	x40 == [x39, x39]
//
// takes more than 2^40 comparisons. Nothing can stop it, so that is found out before: by
// counting, not by going through what is counted.
func refuseLargeShapes(compiler *ast.Compiler) *ast.Error {
	s := &shapes{most: largestShape, compiler: compiler, vars: make(map[ast.Var]*shape), rules: make(map[*ast.Rule]*shape), seen: make(map[*ast.Expr]bool), known: make(map[string]*shape)}
	for _, module := range compiler.Modules {
		ast.WalkTerms(module, func(*ast.Term) bool {
			s.most += 2
			return false
		})
	}
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		for _, rule := range compiler.Modules[name].Rules {
			s.rule(rule)
		}
	}
	return s.refused
}

// A shape is the parts of a value as they are written out, as far as that is
// known. There is one of each.
type shape struct {
	id    int
	size  int64 // of it and all its parts
	parts map[string]*shape
}

type shapes struct {
	most     int64 // parts that a value may have
	compiler *ast.Compiler
	vars     map[ast.Var]*shape
	rules    map[*ast.Rule]*shape
	seen     map[*ast.Expr]bool
	known    map[string]*shape
	at       *ast.Location // what is looked at
	refused  *ast.Error
}

// plain is the shape of a value of which no parts are known.
func (s *shapes) plain() *shape { return s.compose("plain", nil) }

// compose is the shape of a kind with parts, by their keys.
func (s *shapes) compose(kind string, parts map[string]*shape, also ...*shape) *shape {
	name := &strings.Builder{}
	name.WriteString(kind)
	size := int64(1)
	add := func(key string, part *shape) {
		fmt.Fprintf(name, " %q %d", key, part.id)
		size = min(size+part.size, math.MaxInt64/2)
	}
	for _, key := range slices.Sorted(maps.Keys(parts)) {
		add(key, parts[key])
	}
	for _, part := range also {
		add("", part)
	}
	if known := s.known[name.String()]; known != nil {
		return known
	}
	made := &shape{id: len(s.known), size: size, parts: parts}
	s.known[name.String()] = made
	if size > s.most && s.refused == nil {
		s.refused = &ast.Error{Code: ast.CompileErr, Location: s.at, Message: fmt.Sprintf(
			"a value is written out of more than %d parts: it has others in it several times, which have others in them several times, and so on: write it with fewer, or put it into data", s.most)}
	}
	return made
}

// rule is the shape of what a rule and its elses yield.
func (s *shapes) rule(rule *ast.Rule) *shape {
	if known := s.rules[rule]; known != nil {
		return known
	}
	s.rules[rule] = s.plain() // for one in a circle, which is refused elsewhere
	outside := s.at
	var all []*shape
	for r := rule; r != nil; r = r.Else {
		s.at = r.Location
		s.body(r.Body)
		for _, term := range []*ast.Term{r.Head.Key, r.Head.Value} {
			if term != nil {
				all = append(all, s.of(term))
			}
		}
	}
	s.at = outside
	s.rules[rule] = s.either(all)
	return s.rules[rule]
}

// either is the shape of a value that has one of several.
func (s *shapes) either(all []*shape) *shape {
	distinct := make(map[string]*shape)
	for _, one := range all {
		distinct[fmt.Sprint(one.id)] = one
	}
	switch len(distinct) {
	case 0:
		return s.plain()
	case 1:
		return all[0]
	default:
		whole := *s.compose("either", distinct)
		whole.parts = nil
		return &whole
	}
}

// body notes what the expressions of a body, and of those in it, assign.
func (s *shapes) body(body ast.Body) {
	ast.WalkExprs(body, func(expr *ast.Expr) bool {
		s.expr(expr)
		return false
	})
}

func (s *shapes) expr(expr *ast.Expr) {
	if s.seen[expr] || !expr.IsCall() {
		return
	}
	s.seen[expr] = true
	outside := s.at
	defer func() { s.at = outside }()
	s.at = expr.Location
	operands := expr.Operands()
	switch {
	case expr.IsEquality():
		s.assign(operands[0], operands[1])
		s.assign(operands[1], operands[0])
	case len(operands) > 0:
		var yielded []*shape
		for _, rule := range s.compiler.GetRulesExact(expr.Operator()) {
			yielded = append(yielded, s.rule(rule))
		}
		for _, operand := range operands[:len(operands)-1] {
			s.of(operand)
		}
		s.set(operands[len(operands)-1], s.either(yielded))
	}
}

// assign notes the shape of what stands in a term for the variables in another.
func (s *shapes) assign(to, from *ast.Term) {
	switch to.Value.(type) {
	case ast.Var, *ast.Array, ast.Object:
		s.set(to, s.of(from))
	}
}

func (s *shapes) set(to *ast.Term, is *shape) {
	switch v := to.Value.(type) {
	case ast.Var:
		if s.vars[v] == nil {
			s.vars[v] = is
		}
	case *ast.Array:
		for i := range v.Len() {
			s.set(v.Elem(i), s.atKey(is, ast.InternedTerm(i)))
		}
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) { s.set(value, s.atKey(is, key)) })
	}
}

// of is the shape of a term.
func (s *shapes) of(t *ast.Term) *shape {
	switch v := t.Value.(type) {
	case ast.Var:
		if known := s.vars[v]; known != nil {
			return known
		}
	case ast.Ref:
		return s.ref(v)
	case *ast.Array:
		parts := make(map[string]*shape, v.Len())
		for i := range v.Len() {
			parts[fmt.Sprint(i)] = s.of(v.Elem(i))
		}
		return s.compose("array", parts)
	case ast.Object:
		parts := make(map[string]*shape, v.Len())
		var keys []*shape
		v.Foreach(func(key, value *ast.Term) {
			parts[key.String()] = s.of(value)
			keys = append(keys, s.of(key))
		})
		return s.compose("object", parts, keys...)
	case ast.Set:
		var members []*shape
		v.Foreach(func(member *ast.Term) { members = append(members, s.of(member)) })
		return s.compose("set", nil, s.either(members))
	case *ast.ArrayComprehension:
		s.body(v.Body)
		return s.compose("some", nil, s.of(v.Term))
	case *ast.SetComprehension:
		s.body(v.Body)
		return s.compose("set", nil, s.of(v.Term))
	case *ast.ObjectComprehension:
		s.body(v.Body)
		return s.compose("any", nil, s.of(v.Key), s.of(v.Value))
	}
	return s.plain()
}

// ref is the shape of what a reference leads to, in a variable or a rule.
func (s *shapes) ref(ref ast.Ref) *shape {
	head, isVar := ref[0].Value.(ast.Var)
	if is := s.vars[head]; isVar && is != nil {
		return s.atKey(is, ref[1:]...)
	}
	var all []*shape
	for _, rule := range s.compiler.GetRules(ref) {
		is := s.rule(rule)
		if path := rule.Ref(); len(path) <= len(ref) && path.IsGround() {
			is = s.atKey(is, ref[len(path):]...)
		}
		all = append(all, is)
	}
	return s.either(all)
}

// atKey is the shape at keys in another; the other itself where the key is not
// known.
func (s *shapes) atKey(is *shape, keys ...*ast.Term) *shape {
	for _, key := range keys {
		part := is.parts[key.String()]
		switch {
		case part != nil:
			is = part
		case is.parts != nil && ast.IsConstant(key.Value):
			return s.plain()
		default:
			return is
		}
	}
	return is
}
