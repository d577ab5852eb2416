package evaltest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A laziness makes policies of which OPA's evaluator evaluates no rule that it
// may pass over. It compiles them so that
//
//   - rules of the same constant are one rule, whose bodies are those of a
//     function or rule of its own that is true: OPA stops at the first that
//     holds, be the constant a value, a member of a set or a member of an object;
//   - among those bodies, the ones that were postponed come last, so that one
//     which holds without an error comes before one which fails;
//   - what an index may look at (equality and membership of input, data and
//     arguments with constants) comes first in a body, so that no other
//     expression of the body fails where it does not hold;
//   - comprehensions have no index of their own: OPA fills it with keys that
//     nobody asked for.
type laziness struct {
	query     ast.Body // that is asked
	postponed []string // the places of rules, in the order in which they were
	dropped   []string // the places of rules that are left out
	anyKey    bool     // those are kept instead, and have whatever key they are asked for
	groups    []group  // of what was compiled last
}

// A group are rules of the same constant, by their places; or it is one rule
// whose key is not constant, of a set or of an object in which it has a constant
// value, beside others of which the same is true.
type group struct {
	members []member
	keyed   bool
}

type member struct {
	place  string
	within map[string]bool // the places of its expressions and terms
}

// apart is the package of the bodies.
const apart = "verdict_apart"

// compile compiles modules.
func (l *laziness) compile(modules map[string]*ast.Module) (*ast.Compiler, error) {
	l.groups = nil
	modules = maps.Clone(modules)
	modules[apart] = ast.MustParseModule("package " + apart)
	compiler := newCompiler().WithSkipStages(ast.StageBuildComprehensionIndices).
		WithStageAfterID(ast.StageResolveRefs, ast.CompilerStageDefinition{
			Name: "SetBodiesApart", MetricName: "set_bodies_apart", Stage: l.setBodiesApart,
		}).
		WithStageAfterID(ast.StageCheckTypes, ast.CompilerStageDefinition{
			Name: "GuardsFirst", MetricName: "guards_first", Stage: func(compiler *ast.Compiler) *ast.Error {
				l.holdForAnyKey(compiler)
				return guardsFirst(compiler)
			},
		})
	compiler.Compile(modules)
	if compiler.Failed() {
		return nil, compiler.Errors
	}
	return compiler, nil
}

// setBodiesApart makes rules of the same constant one rule.
func (l *laziness) setBodiesApart(compiler *ast.Compiler) *ast.Error {
	for _, name := range slices.Sorted(maps.Keys(compiler.Modules)) {
		module := compiler.Modules[name]
		if name == apart {
			continue
		}
		byHead := make(map[string][]*ast.Rule)
		keyed := make(map[string]int)
		for _, rule := range module.Rules {
			keyed[keyedBy(rule)]++
		}
		var kept []*ast.Rule
		for _, rule := range module.Rules {
			switch {
			case slices.Contains(l.dropped, place(rule.Location)):
				if l.anyKey {
					kept = append(kept, rule)
				}
			case !isConstant(rule):
				kept = append(kept, rule)
				if by := keyedBy(rule); by != "" && keyed[by] > 1 && l.askedByKey(compiler, rule.Ref().GroundPrefix()) {
					l.groups = append(l.groups, group{members: []member{newMember(rule)}, keyed: true})
				}
			default:
				key := constantOf(rule)
				if len(byHead[key]) == 0 {
					kept = append(kept, rule)
				}
				byHead[key] = append(byHead[key], rule)
			}
		}
		for _, rule := range kept {
			if rules := byHead[constantOf(rule)]; len(rules) > 0 && rules[0] == rule {
				l.setApart(rules, compiler.Modules[apart])
			}
		}
		module.Rules = kept
	}
	return nil
}

// keyedBy is the same for rules of a set, and for those of an object with the
// same constant value; empty for other rules.
func keyedBy(rule *ast.Rule) string {
	ref := rule.Head.Ref()
	switch {
	case rule.Default || rule.Else != nil || len(rule.Head.Args) > 0:
		return ""
	case isOfSet(rule):
		return "set " + ref.String()
	case len(ref) > 1 && rule.Head.Value != nil && ast.IsConstant(rule.Head.Value.Value):
		return fmt.Sprint("object ", ref[:len(ref)-1], rule.Head.Value)
	default:
		return ""
	}
}

// isOfSet reports whether a rule yields members of a set.
func isOfSet(rule *ast.Rule) bool { return rule.Head.Key != nil && rule.Head.Value == nil }

// holdForAnyKey makes the rules that would be left out hold for whatever key they
// are asked for. Where that makes no difference, it is nothing but a key that
// another rule has that they could yield.
func (l *laziness) holdForAnyKey(compiler *ast.Compiler) {
	for _, module := range compiler.Modules {
		for _, rule := range module.Rules {
			if !slices.Contains(l.dropped, place(rule.Location)) {
				continue
			}
			asked := ast.VarTerm("__asked__")
			if isOfSet(rule) {
				rule.Head.Key = asked
			} else {
				rule.Head.Reference[len(rule.Head.Reference)-1] = asked
			}
			rule.Body = ast.NewBody(ast.NewExpr(ast.BooleanTerm(true)))
		}
	}
}

// askedByKey reports whether the query or a rule may ask for a member of a set or object,
// and not only for all.
func (l *laziness) askedByKey(compiler *ast.Compiler, set ast.Ref) (asked bool) {
	note := func(ref ast.Ref) bool {
		if len(ref) > len(set) && ref.HasPrefix(set) {
			name, isVar := ref[len(set)].Value.(ast.Var)
			asked = asked || !isVar || !name.IsWildcard()
		}
		return asked
	}
	ast.WalkRefs(l.query, note)
	for _, module := range compiler.Modules {
		ast.WalkRefs(module, note)
	}
	return asked
}

// isConstant reports whether a rule yields one constant, wherever it holds.
func isConstant(rule *ast.Rule) bool {
	if rule.Default || rule.Else != nil || !rule.Head.Ref().IsGround() {
		return false
	}
	for _, term := range []*ast.Term{rule.Head.Key, rule.Head.Value} {
		if term != nil && !ast.IsConstant(term.Value) {
			return false
		}
	}
	return true
}

// constantOf is the same for rules that yield the same in the same place.
func constantOf(rule *ast.Rule) string {
	return fmt.Sprint(rule.Head.Ref(), len(rule.Head.Args), rule.Head.Key, rule.Head.Value)
}

// setApart gives the first of rules a body that asks for those of all, which are
// rules of a module of their own.
func (l *laziness) setApart(rules []*ast.Rule, to *ast.Module) {
	first := rules[0]
	name := ast.Var(fmt.Sprintf("bodies%d", len(l.groups)))
	var g group
	for _, rule := range l.inOrder(rules) {
		g.members = append(g.members, newMember(rule))
		head := ast.RefHead(ast.Ref{ast.NewTerm(name)})
		head.Args, head.Value, head.Location = rule.Head.Args, ast.BooleanTerm(true), rule.Location
		to.Rules = append(to.Rules, &ast.Rule{Head: head, Body: rule.Body, Location: rule.Location, Module: to})
	}
	l.groups = append(l.groups, g)
	bodies := ast.NewTerm(to.Package.Path.Append(ast.StringTerm(string(name))))
	asked := &ast.Expr{Terms: bodies, Location: &ast.Location{File: apart}}
	var parameters []*ast.Term
	for i := range first.Head.Args {
		parameters = append(parameters, ast.VarTerm(fmt.Sprintf("parameter%d", i)))
	}
	if len(parameters) > 0 {
		asked.Terms = slices.Concat([]*ast.Term{bodies}, parameters)
	}
	first.Head = first.Head.Copy()
	first.Head.Args = parameters
	first.Body = ast.NewBody(asked)
}

// inOrder are rules with the postponed ones last.
func (l *laziness) inOrder(rules []*ast.Rule) []*ast.Rule {
	return slices.SortedStableFunc(slices.Values(rules), func(a, b *ast.Rule) int {
		return slices.Index(l.postponed, place(a.Location)) - slices.Index(l.postponed, place(b.Location))
	})
}

func newMember(rule *ast.Rule) member {
	m := member{place: place(rule.Location), within: map[string]bool{place(rule.Location): true}}
	ast.NewGenericVisitor(func(node any) bool {
		switch node := node.(type) {
		case *ast.Expr:
			m.within[place(node.Location)] = true
		case *ast.Term:
			m.within[place(node.Location)] = true
		}
		return false
	}).Walk(rule)
	delete(m.within, place(nil))
	return m
}

// place is a location as a key.
func place(at *ast.Location) string {
	if at == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", at.File, at.Row, at.Col)
}

// postpone puts off the innermost rule on the stack of an error that has not
// been and has others of the same constant beside it, or else drops the
// innermost rule of a key: asked for by key, the set or object may have that key
// by another rule. It reports whether there is one.
func (l *laziness) postpone(stack []*ast.Location) bool {
	innermost := func(fits func(group, member) bool) string {
		for _, at := range stack {
			for _, g := range l.groups {
				for _, m := range g.members {
					if m.within[place(at)] && fits(g, m) {
						return m.place
					}
				}
			}
		}
		return ""
	}
	last := innermost(func(g group, m member) bool {
		return !g.keyed && len(g.members) > 1 && !slices.Contains(l.postponed, m.place)
	})
	if last != "" {
		l.postponed = append(l.postponed, last)
		return true
	}
	dropped := innermost(func(g group, _ member) bool { return g.keyed })
	if dropped != "" {
		l.dropped = append(l.dropped, dropped)
	}
	return dropped != ""
}
