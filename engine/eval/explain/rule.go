package explain

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A Rule is a rule as its author wrote it and as the compiler left it. A step is
// an expression of the compiled body; the last, beyond the body, is its end.
type Rule struct {
	// Compiled is the compiler's rule.
	Compiled *ast.Rule
	// Number is its place among all rules.
	Number int

	path        ast.Ref
	name        string // path as a text
	title       string
	location    string
	expressions []expression
	owner       []int       // the expression that each step is of, or -1
	head        int         // the expression that is the head, or -1
	operands    [][]Operand // by step, and of the head where the body has held
	untold      []int       // how many operands there are beyond those
	asks        []ast.Ref   // for what of data
	mocked      bool
	complete    bool
}

// An expression is one of the source's body, or the head where that takes steps
// of its own.
type expression struct {
	at      *ast.Location
	steps   []int
	asks    []ast.Ref // for what of data
	negated bool      // it asks that something be not so
}

// Operands are the parts of a step's expression whose values are told where it
// fails, in the order of the source. A part whose value the step is to find is
// not among them.
func (r *Rule) Operands(step int) []Operand { return r.operands[step] }

// End is the step that is come to where the body has held.
func (r *Rule) End() int { return len(r.owner) }

// IsComplete reports whether the rule yields one value, for its arguments, and not
// one of those in a set or an object.
func (r *Rule) IsComplete() bool { return r.complete }

// Mocked reports whether the rule may be tried under a with that replaces a part
// of data or a function. What it reads of data may then be another than what
// data has.
func (r *Rule) Mocked() bool { return r.mocked }

// expression is the one that a step is of; nil where there is none. At the end it
// is the head.
func (r *Rule) expression(step int) *expression {
	owner := -1
	switch {
	case step == r.End():
		owner = r.head
	case step >= 0:
		owner = r.owner[step]
	}
	if owner < 0 {
		return nil
	}
	return &r.expressions[owner]
}

// passed is how many expressions have held where a step is come to. The head has
// not where the rule fails at the end.
func (r *Rule) passed(step int) int {
	n := 0
	for i, e := range r.expressions {
		if step == r.End() && i == r.head {
			continue
		}
		if !slices.ContainsFunc(e.steps, func(s int) bool { return s >= step }) {
			n++
		}
	}
	return n
}

// divide finds the expressions, and whose each step is. The compiler keeps the
// places of what it rewrites.
func (r *Rule) divide(source *ast.Rule) (bodies []*ast.Expr) {
	var within []extent
	add := func(at *ast.Location, written *ast.Expr) {
		r.expressions = append(r.expressions, expression{at: at, negated: written != nil && isNegated(written)})
		within, bodies = append(within, extentOf(at)), append(bodies, written)
	}
	for _, expr := range source.Body {
		if !isGenerated(expr) {
			add(expr.Location, expr)
		}
	}
	r.head = -1
	for step, expr := range r.Compiled.Body {
		owner := slices.IndexFunc(within, func(e extent) bool { return e.contains(expr.Location) })
		if owner < 0 && !isTrue(expr) {
			if r.head < 0 {
				r.head = len(r.expressions)
				add(r.Compiled.Head.Location, nil)
			}
			owner = r.head
		}
		r.owner = append(r.owner, owner)
		if owner >= 0 {
			e := &r.expressions[owner]
			e.steps = append(e.steps, step)
			e.asks = asksOf(e.asks, expr)
		}
	}
	return bodies
}

// isTrue reports whether an expression is the constant true.
func isTrue(expr *ast.Expr) bool {
	term, isTerm := expr.Terms.(*ast.Term)
	return isTerm && term.Value.Compare(ast.Boolean(true)) == 0
}

// isNegated reports whether an expression asks that something be not so.
func isNegated(expr *ast.Expr) bool {
	_, isNot := expr.Terms.(*ast.Not)
	return isNot || expr.Negated
}

// isGenerated reports whether an expression stands for a body that a rule does
// not have.
func isGenerated(expr *ast.Expr) bool { return isTrue(expr) && string(expr.Location.Text) != "true" }

// asksOf adds what of data a part of a rule asks for, as far as that is known.
func asksOf(asks []ast.Ref, part any) []ast.Ref {
	ast.WalkRefs(part, func(ref ast.Ref) bool {
		prefix := ref.ConstantPrefix()
		known := slices.ContainsFunc(asks, func(ask ast.Ref) bool { return ask.Equal(prefix) })
		if prefix.HasPrefix(ast.DefaultRootRef) && !known {
			asks = append(asks, prefix)
		}
		return false
	})
	return asks
}

// meets reports whether a ref may ask for what rules of a path yield.
func meets(ref, path ast.Ref) bool { return ref.HasPrefix(path) || path.HasPrefix(ref) }

// An extent is where a part of the source stands in its file.
type extent struct{ from, to int }

func extentOf(l *ast.Location) extent {
	if l == nil {
		return extent{-1, -1}
	}
	return extent{l.Offset, l.Offset + len(l.Text)}
}

func (e extent) contains(l *ast.Location) bool {
	return l != nil && e.from <= l.Offset && l.Offset < e.to
}
