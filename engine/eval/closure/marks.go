package closure

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/explain"
)

// Explanations are about the expressions of rules, which a plan does not have: a
// plan has statements. So a policy that is to be explained is planned with marks
// between the expressions of its rules. A mark is made of expressions itself,
// that OPA's planner plans where it stands and that decorate finds again by
// their place, which is in no file:
//
//	mark = "2"            so many operands has the next expression
//	first = [x | x = …]   their values
//	first                 the end of the first
//	second = [x | x = …]
//	second
const markFile = "verdict:mark"

// marked is a compiler's outcome with marks before each expression of the rules'
// bodies, and at their ends.
func marked(compiler *ast.Compiler, rules *explain.Policy) *ast.Compiler {
	with := *compiler
	with.Modules = make(map[string]*ast.Module, len(compiler.Modules))
	for name, module := range compiler.Modules {
		m := *module
		m.Rules = make([]*ast.Rule, len(module.Rules))
		for i, rule := range module.Rules {
			m.Rules[i] = markedRule(rule, rules)
		}
		with.Modules[name] = &m
	}
	return &with
}

// markedRule is a rule with its elses.
func markedRule(compiled *ast.Rule, rules *explain.Policy) *ast.Rule {
	if compiled == nil {
		return nil
	}
	with := *compiled
	with.Else = markedRule(compiled.Else, rules)
	if rule := rules.Rule(compiled); rule != nil {
		var body ast.Body
		for step, expr := range compiled.Body {
			body = append(append(body, mark(rule, step)...), expr)
		}
		with.Body = append(body, mark(rule, len(compiled.Body))...)
	}
	return &with
}

// mark is the mark before a step of a rule.
func mark(rule *explain.Rule, step int) []*ast.Expr {
	at := ast.NewLocation(nil, markFile, rule.Number, step)
	variable := func(name string) *ast.Term {
		return ast.VarTerm(fmt.Sprintf("__%s%d__", name, step)).SetLocation(at)
	}
	operands := rule.Operands(step)
	count := ast.StringTerm(strconv.Itoa(len(operands))).SetLocation(at)
	exprs := []*ast.Expr{ast.Equality.Expr(variable("mark"), count).SetLocation(at)}
	for i, operand := range operands {
		values := variable(fmt.Sprintf("operand%d_", i))
		exprs = append(exprs, ast.Equality.Expr(values, operand.Values).SetLocation(at), ast.NewExpr(values).SetLocation(at))
	}
	return exprs
}

// decorate puts observers in the place of the marks, and around the bodies of
// rules.
func decorate(t *tree, rules []*explain.Rule) error {
	d := &decorator{rules: rules}
	for _, f := range t.functions {
		for _, rule := range f.rules {
			for i, body := range rule.bodies {
				marks := d.marks
				d.yield = -1
				if f.kind == complete {
					d.yield = rule.yield
				}
				d.block(body)
				if d.marks > marks {
					rule.bodies[i] = &block{[]statement{&observed{rule: d.last, step: -1, then: body}}}
				}
			}
		}
	}
	return d.failure
}

type decorator struct {
	rules   []*explain.Rule
	yield   local         // what the body assigns; -1 is a partial rule's
	last    *explain.Rule // whose mark was found last
	marks   int           // found
	failure error
}

// block makes what comes after a mark a part of the mark's observer.
func (d *decorator) block(b *block) {
	for i, s := range b.statements {
		at, operands, isMark := markOf(s)
		if !isMark {
			for _, nested := range inner(s) {
				d.block(nested)
			}
			continue
		}
		d.marks++
		d.last = d.rules[at.Row]
		o := &observed{rule: d.last, step: at.Col, yield: d.yield}
		rest := b.statements[i+1:]
		for range operands {
			end := slices.IndexFunc(rest, isEnd)
			if end < 0 {
				d.failure = errors.New("a mark has no end")
				return
			}
			find := append(rest[:end:end], &result{rest[end].(*differ).a})
			o.operands = append(o.operands, &block{find})
			rest = rest[end+1:]
		}
		o.then = &block{rest}
		b.statements = append(b.statements[:i:i], o)
		d.block(o.then)
		return
	}
}

// markOf is where a mark belongs, as rule and step, and how many operands it has,
// if a statement begins one.
func markOf(s statement) (at *ast.Location, operands int, isMark bool) {
	a, isAssign := s.(*assign)
	if !isAssign || a.at == nil || a.at.File != markFile {
		return nil, 0, false
	}
	text, isText := constantText(a.value)
	operands, err := strconv.Atoi(text)
	return a.at, operands, isText && err == nil
}

// isEnd reports whether a statement ends an operand of a mark.
func isEnd(s statement) bool {
	d, isDiffer := s.(*differ)
	return isDiffer && d.at != nil && d.at.File == markFile
}
