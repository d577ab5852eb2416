package residual

import (
	"context"
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A reader reads what is left of queries into formulas.
type reader struct {
	unknown ast.Ref // such as input.resource.id
	typ     string  // of the entity that is not known
	input   *ast.Term
	partial *topdown.Partial
	root    string // the ref that stands above every entity
	support map[string][]*ast.Rule
	inside  []string // the supporting rules that are being read
	formula Formula
	safe    Formula // what keeps the decision from failing, as far as it was recognised
	ctx     context.Context
	bodies  int // that were read
	err     error
}

// maxBodies is how many bodies are read, rules that several ask for as often as they
// do: each takes some 50 µs, and where a rule asks twice for one that asks twice for
// another, there is no end to it.
const maxBodies = 5_000

// goesOn counts a body, and is false when there is an end to the reading.
func (r *reader) goesOn() bool {
	if r.bodies++; r.bodies > maxBodies && r.err == nil {
		r.err = authz.Errorf(authz.LimitExceeded, "what is left of the policy comes to more than %d bodies of rules: let rules that others rest on not rest on several each", maxBodies)
	}
	if r.err == nil {
		r.err = r.ctx.Err()
	}
	return r.err == nil
}

// A scope is what is known of variables.
type scope map[ast.Var]value

// A body is a conjunction of expressions that is being read.
type body struct {
	*reader
	scope scope
	uses  map[ast.Var]int // how often a variable stands in the body
	parts []Formula
	place string // of the last expression that had one
	draws bool   // by an index that stands in several places
	// elements have been drawn from collections, the first as number 1.
	elements []drawnElement
}

// A drawnElement is some element of a collection, and how many tests it has to
// pass: of several, each may hold of another element.
type drawnElement struct {
	of    value
	index ast.Var
	tests int
}

// body reads a body within a scope, whose variables it does not change. It stands
// at a place, for expressions that have none.
func (r *reader) body(exprs ast.Body, within scope, place string) Formula {
	if !r.goesOn() {
		return never
	}
	b := &body{reader: r, scope: maps.Clone(within), uses: make(map[ast.Var]int), place: place}
	if b.scope == nil {
		b.scope = make(scope)
	}
	for _, expr := range exprs {
		b.count(expr)
	}
	left := b.definitions(exprs)
	b.draws = true
	left = b.definitions(left)
	for _, expr := range left {
		b.at(expr)
		b.parts = append(b.parts, b.expr(expr))
	}
	for _, drawn := range b.elements {
		switch {
		case drawn.tests > 1:
			b.parts = append(b.parts, b.unrecognised("several conditions on one element of %s: keep what belongs together in one attribute", drawn.of))
		case drawn.tests == 0:
			b.parts = append(b.parts, b.hasElements(drawn.of))
		}
	}
	return and(b.parts...)
}

// definitions reads the expressions that give variables their values, as far as
// that goes, and returns the others.
func (b *body) definitions(left ast.Body) ast.Body {
	for {
		var later ast.Body
		for _, expr := range left {
			if !b.defines(expr) {
				later = append(later, expr)
			}
		}
		if len(later) == len(left) {
			return left
		}
		left = later
	}
}

// at notes where an expression stands.
func (b *body) at(expr *ast.Expr) {
	if place := placeOf(expr); place != "" {
		b.place = place
	}
}

// placeOf is where an expression stands in the policy; what OPA has put together
// stands where its parts do.
func placeOf(expr *ast.Expr) (place string) {
	take := func(l *ast.Location) {
		if place == "" && l != nil && l.File != "" {
			place = rego.Location(l)
		}
	}
	take(expr.Location)
	if place == "" {
		ast.WalkTerms(expr, func(t *ast.Term) bool {
			take(t.Location)
			return false
		})
	}
	return place
}

func (b *body) count(expr *ast.Expr) {
	eachVar(expr, func(name ast.Var) { b.uses[name]++ })
}

// eachVar visits the variables in an expression or a body wherever they stand;
// the names of documents and functions are none.
func eachVar(in any, visit func(ast.Var)) {
	var visitor *ast.GenericVisitor
	visitor = ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if !x.IsCall() {
				return false
			}
			for _, operand := range x.Operands() {
				visitor.Walk(operand)
			}
			for _, with := range x.With {
				visitor.Walk(with)
			}
			return true
		case ast.Call:
			for _, operand := range x[1:] {
				visitor.Walk(operand)
			}
			return true
		case ast.Var:
			if x != ast.InputRootDocument.Value && x != ast.DefaultRootDocument.Value {
				visit(x)
			}
		}
		return false
	})
	visitor.Walk(in)
}

// defines reads an expression that gives a variable its value, and reports whether
// it is one whose operands are known.
func (b *body) defines(expr *ast.Expr) bool {
	if expr.Negated || len(expr.With) > 0 || !expr.IsCall() {
		return false
	}
	operator, operands := expr.Operator(), expr.Operands()
	if expr.IsEquality() {
		for i, side := range operands {
			name, isVar := side.Value.(ast.Var)
			if _, bound := b.scope[name]; !isVar || bound || !b.ready(operands[1-i]) {
				continue
			}
			b.at(expr)
			b.define(name, b.value(operands[1-i]))
			return true
		}
		return false
	}
	arity, known := b.arityOf(operator)
	if !known || len(operands) != arity+1 {
		return false
	}
	name, isVar := operands[arity].Value.(ast.Var)
	if _, bound := b.scope[name]; !isVar || bound {
		return false
	}
	for _, operand := range operands[:arity] {
		if !b.ready(operand) {
			return false
		}
	}
	b.at(expr)
	b.define(name, b.call(operator, operands[:arity]))
	return true
}

// define gives a variable a value, which is there.
func (b *body) define(name ast.Var, v value) {
	b.scope[name] = v
	b.parts = append(b.parts, b.isDefined(v))
}

// ready reports whether a term's variables have values. One that stands nowhere
// else may have any.
func (b *body) ready(term *ast.Term) bool {
	ready := true
	ast.WalkTerms(term, func(t *ast.Term) bool {
		switch v := t.Value.(type) {
		case *ast.SetComprehension, *ast.ArrayComprehension, *ast.ObjectComprehension:
			return true
		case ast.Call:
			for _, operand := range v[1:] {
				ready = ready && b.ready(operand)
			}
			return true
		case ast.Ref:
			for _, part := range v[1:] {
				if name, isVar := part.Value.(ast.Var); isVar && b.uses[name] > 1 && !b.draws {
					if _, bound := b.scope[name]; !bound {
						ready = false
					}
				} else if !isVar && !b.ready(part) {
					ready = false
				}
			}
			if name, isVar := v[0].Value.(ast.Var); isVar && !isRoot(v[0]) {
				if _, bound := b.scope[name]; !bound {
					ready = false
				}
			} else if !isVar && !b.ready(v[0]) {
				ready = false
			}
			return true
		case ast.Var:
			if _, bound := b.scope[v]; !bound {
				ready = false
			}
		}
		return !ready
	})
	return ready
}

func isRoot(head *ast.Term) bool {
	return head.Equal(ast.InputRootDocument) || head.Equal(ast.DefaultRootDocument)
}

// expr is when an expression holds.
func (b *body) expr(expr *ast.Expr) Formula {
	if len(expr.With) > 0 {
		return b.unrecognised("%v: a with", expr)
	}
	if expr.Negated {
		positive := expr.Copy()
		positive.Negated = false
		return not(b.inner(ast.NewBody(positive)))
	}
	switch terms := expr.Terms.(type) {
	case *ast.Not:
		return not(b.inner(terms.Body))
	case *ast.LogicalAnd:
		return and(b.side(terms.Lhs), b.side(terms.Rhs))
	case *ast.LogicalOr:
		return or(b.side(terms.Lhs), b.side(terms.Rhs))
	case *ast.Term:
		return b.isTrue(b.value(terms))
	case *ast.Every:
		return b.every(terms)
	case []*ast.Term:
		return b.callHolds(expr, terms)
	}
	return b.unrecognised("%v", short(expr))
}

// every is when a body holds for each element of what is known. OPA puts the body of
// few elements in its place, and leaves it with many as it is written.
func (b *body) every(e *ast.Every) Formula {
	domain := b.value(e.Domain)
	for name := range b.scope {
		inside := false
		eachVar(e.Body, func(used ast.Var) { inside = inside || used == name })
		if inside {
			return b.unrecognised("every %v in %s: its body asks for what stands beside it", e.Value, domain)
		}
	}
	var parts []Formula
	each := func(key, element *ast.Term) {
		if b.err != nil {
			return
		}
		known := map[ast.Var]ast.Value{}
		for _, of := range [][2]*ast.Term{{e.Key, key}, {e.Value, element}} {
			if of[0] != nil {
				if name, isVar := of[0].Value.(ast.Var); isVar {
					known[name] = of[1].Value
				}
			}
		}
		parts = append(parts, b.evaluated(e.Body, known))
	}
	if domain.kind == constant {
		switch known := domain.constant.Value.(type) {
		case *ast.Array:
			for i := range known.Len() {
				each(ast.IntNumberTerm(i), known.Elem(i))
			}
			return and(parts...)
		case ast.Set:
			known.Foreach(func(element *ast.Term) { each(element, element) })
			return and(parts...)
		case ast.Object:
			known.Foreach(each)
			return and(parts...)
		}
	}
	return b.unrecognised("every %v in %s: every, over what is not known", e.Value, domain)
}

// side reads a side of an and or of an or, which OPA leaves as it is written. One that
// has nothing in common with the body is evaluated first.
func (b *body) side(exprs ast.Body) Formula {
	inside := make(map[ast.Var]int)
	eachVar(exprs, func(name ast.Var) { inside[name]++ })
	for name, times := range inside {
		if _, bound := b.scope[name]; bound || b.uses[name] > times {
			return b.inner(exprs)
		}
	}
	return b.evaluated(exprs, nil)
}

// evaluated evaluates a body as far as it goes, and reads what is left.
func (r *reader) evaluated(exprs ast.Body, known map[ast.Var]ast.Value) Formula {
	support := r.support
	defer func() { r.support = support }()
	body, err := ast.TransformVars(exprs.Copy(), func(name ast.Var) (ast.Value, error) {
		if value, is := known[name]; is {
			return value, nil
		}
		return name, nil
	})
	if err != nil {
		r.err = authz.Errorf(authz.Internal, "%v: %w", short(exprs), err)
		return never
	}
	left, err := r.left(body.(ast.Body))
	if err != nil {
		r.err = err
		return never
	}
	return r.read(left)
}

// inner reads a body that stands in this one. A variable of both that has no value
// here cannot be told apart.
func (b *body) inner(exprs ast.Body) Formula {
	inside := make(map[ast.Var]int)
	eachVar(exprs, func(name ast.Var) { inside[name]++ })
	open := false
	for name, times := range inside {
		_, bound := b.scope[name]
		open = open || !bound && b.uses[name] > times
	}
	if open {
		return b.unrecognised("%v: it depends on an element that was not found", short(exprs))
	}
	for name, v := range b.scope {
		if v.element > 0 && inside[name] > 0 {
			return b.unrecognised("%v: a condition inside another on %s", short(exprs), v)
		}
	}
	return b.reader.body(exprs, b.scope, b.place)
}

// callHolds is when a call, without or with its result as the last operand, holds.
func (b *body) callHolds(expr *ast.Expr, terms []*ast.Term) Formula {
	operator, operands := expr.Operator(), terms[1:]
	if len(operands) == 2 && (expr.IsEquality() || operator.Equal(ast.Equal.Ref())) {
		if !b.ready(operands[0]) || !b.ready(operands[1]) {
			return b.unrecognised("%v", short(expr))
		}
		return b.compare(In, b.value(operands[0]), b.value(operands[1]))
	}
	for _, operand := range operands {
		if !b.ready(operand) {
			return b.unrecognised("%v", short(expr))
		}
	}
	if op, isComparison := comparisons[operator.String()]; isComparison && len(operands) == 2 {
		return b.compare(op, b.value(operands[0]), b.value(operands[1]))
	}
	if arity, known := b.arityOf(operator); known && len(operands) == arity+1 {
		return b.compare(In, b.call(operator, operands[:arity]), b.value(operands[arity]))
	}
	return b.isTrue(b.call(operator, operands))
}
