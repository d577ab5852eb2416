package closure

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// nothing is an expression that is never defined.
type nothing struct{}

func (nothing) expression() {}

// A resolver decides what needs no request to be decided: conditions of
// constants, built-ins of constants, and what stands behind a condition that
// never holds. Nothing that may err is left out, unless what stands before it
// never lets it be reached.
type resolver struct {
	static       *ast.Term
	dataReplaced bool        // by a with, somewhere in the policy
	calculator   *executable // for what is evaluated
}

// body resolves a body.
func (s *resolver) body(b *block, fixed map[local]bool) {
	for changed := true; changed; {
		foldConstants(b, fixed)
		f := &folding{resolver: s, used: usageOf(b), fixed: fixed, entities: make(map[local]*ast.Term)}
		everyStatement(b, func(st statement) {
			if a, isAssign := st.(*assign); isAssign {
				f.entities[a.to] = entityType(a.value)
			}
		})
		f.block(b)
		changed = f.changed
	}
}

// A folding goes through a body once.
type folding struct {
	*resolver
	used     usage
	fixed    map[local]bool
	entities map[local]*ast.Term // the types of those that locals hold
	changed  bool
}

// An outcome is what is known of a statement.
type outcome uint8

const (
	mayHold outcome = iota // it may hold
	holds                  // it does, and does nothing
	never                  // it does not, and does nothing
	stops                  // it does not, but may err
)

func (f *folding) block(b *block) {
	var kept []statement
	defined := make(map[local]bool) // by what stands before in the block
	for i, st := range b.statements {
		eachOperand(st, f.expression)
		for _, nested := range inner(st) {
			f.block(nested)
		}
		st, is := f.outcome(st, defined)
		note(defined, st, is)
		switch is {
		case mayHold:
			kept = append(kept, f.flat(st)...)
			continue
		case holds:
			f.changed = true
			continue
		case never:
			f.changed = true
			kept = append(kept, &leave{blocks: 1})
		case stops:
			kept = append(kept, st)
		}
		f.changed = f.changed || i < len(b.statements)-1
		break
	}
	b.statements = kept
}

// note notes what a statement makes of locals, for those behind it in the block.
func note(defined map[local]bool, st statement, is outcome) {
	for _, nested := range inner(st) {
		everyStatement(nested, func(st statement) { forget(defined, st) })
	}
	forget(defined, st)
	switch st := st.(type) {
	case *assign:
		defined[st.to] = is == mayHold
	case *create:
		defined[st.to] = true
	}
}

func forget(defined map[local]bool, st statement) {
	for _, l := range sets(st) {
		delete(defined, l)
	}
}

// outcome is what is known of a statement, and what it comes to.
func (f *folding) outcome(st statement, defined map[local]bool) (statement, outcome) {
	switch s := st.(type) {
	case *assign, *assignOnce, *scan, *appendTo, *addTo, *insert, *merge, *result:
		return st, reached(st)
	case *keep:
		if isNothing(s.value) {
			f.changed = true
			return &reset{s.to}, mayHold
		}
	case *equal:
		if a, b, known := constants(s.a, s.b); known {
			return st, whether(native.Equal(a, b))
		}
		if typ, of := f.typeAsked(s); of != nil && typ != nil {
			return st, whether(native.Equal(typ, of))
		}
		return st, reached(st)
	case *differ:
		if a, b, known := constants(s.a, s.b); known {
			return st, whether(!native.Equal(a, b))
		}
		return st, reached(st)
	case *isKind:
		if k, known := s.of.(constant); known {
			of, isCollection := kindOf(k.term)
			return st, whether(isCollection && of == s.kind)
		}
		return st, reached(st)
	case *isDefined:
		switch {
		case defined[s.local]:
			return st, whether(s.defined)
		case f.used.set[s.local] == 0 && !f.fixed[s.local]:
			return st, whether(!s.defined)
		}
	case *leave:
		return st, stops
	case *group:
		blocks := slices.DeleteFunc(slices.Clone(s.blocks), func(b *block) bool { return len(b.statements) == 0 || neverHolds(b) })
		if len(blocks) == 0 {
			return st, holds
		}
		f.changed = f.changed || len(blocks) < len(s.blocks)
		s.blocks = blocks
	case *negate:
		switch {
		case len(s.body.statements) == 0:
			return st, never
		case neverHolds(s.body):
			return st, holds
		}
	}
	return st, mayHold
}

// typeAsked are the type that an equality asks an entity of the directory for,
// and the type under which that was found, which is the entity's own; nil for
// other equalities.
func (f *folding) typeAsked(s *equal) (asked, known *ast.Term) {
	d, isDot := s.a.(dot)
	want, isConstant := s.b.(constant)
	if !isDot || !isConstant || f.dataReplaced {
		return nil, nil
	}
	if name, isName := constantText(d.key); !isName || name != typeName {
		return nil, nil
	}
	r, isRead := d.of.(read)
	if !isRead || f.used.set[r.from] != 1 {
		return nil, nil
	}
	return want.term, f.entities[r.from]
}

// entityType is the type of the entity that an expression reads, where it is
// known; nil for others.
func entityType(e expression) *ast.Term {
	d, isDot := within(e).(dot)
	if !isDot {
		return nil
	}
	p := pathOf(d)
	if !isData(p.root) || len(p.keys) != 3 {
		return nil
	}
	names := p.names()
	if len(names) < 2 || names[0] != directoryName || names[1] == refName {
		return nil
	}
	return p.keys[1].(constant).term
}

// neverHolds reports whether a block ends before it does anything.
func neverHolds(b *block) bool {
	if len(b.statements) == 0 {
		return false
	}
	l, leaves := b.statements[0].(*leave)
	return leaves && l.blocks == 1
}

func whether(truth bool) outcome {
	if truth {
		return holds
	}
	return never
}

// constants are the values of two expressions, if both are known.
func constants(a, b expression) (x, y *ast.Term, known bool) {
	first, isKnown := a.(constant)
	second, areKnown := b.(constant)
	return first.term, second.term, isKnown && areKnown
}

func isNothing(e expression) bool { _, is := e.(nothing); return is }

// reached is what is known of a statement that needs all of its operands.
func reached(st statement) outcome {
	is, before := mayHold, true
	eachOperand(st, func(e expression) expression {
		switch {
		case is != mayHold:
		case !isNothing(e):
			before = before && quiet(e)
		case before:
			is = never
		default:
			is = stops
		}
		return e
	})
	return is
}

// flat is a group of one block that cannot end early as the statements in it.
func (f *folding) flat(st statement) []statement {
	g, isGroup := st.(*group)
	if !isGroup || len(g.blocks) != 1 {
		return []statement{st}
	}
	for _, st := range g.blocks[0].statements {
		switch st := st.(type) {
		case *keep, *reset, *create:
		case *assign:
			if !isConstant(st.value) {
				return []statement{g}
			}
		default:
			return []statement{g}
		}
	}
	f.changed = true
	return g.blocks[0].statements
}

// expression is an expression with what is known of it put in.
func (f *folding) expression(e expression) expression {
	if r, isRead := e.(read); isRead && f.used.set[r.from] == 0 && !f.fixed[r.from] {
		e = nothing{}
	} else {
		e = f.resolver.part(e, f.expression)
	}
	return e
}

// expression is an expression without locals with what is known of it put in.
func (s *resolver) expression(e expression) expression { return s.part(e, s.expression) }

func (s *resolver) part(e expression, visit func(expression) expression) expression {
	if d, isDot := e.(dot); isDot {
		if p := pathOf(d); isData(p.root) {
			return s.inData(p, visit)
		}
	}
	e = eachPart(e, visit)
	if lacks(e) {
		return nothing{}
	}
	switch e := e.(type) {
	case apart:
		if isConstant(e.of) {
			return e.of
		}
	case dot, length, literal:
		if areConstants(e) {
			return s.evaluated(e)
		}
	case callBuiltin:
		if areConstants(e) && deterministic(e.name) {
			return s.evaluated(e)
		}
	}
	return e
}

// inData is a path in the document data, where numbers are found as texts: it is
// looked up as a whole.
func (s *resolver) inData(p path, visit func(expression) expression) expression {
	var e expression = dataDocument{}
	known := true
	for _, key := range p.keys {
		key = visit(key)
		known = known && isConstant(key)
		e = dot{of: e, key: key}
	}
	names := pathOf(e.(dot)).names()
	if !known || s.dataReplaced || len(names) == 0 || names[0] == directoryName {
		return e
	}
	return s.evaluated(e)
}

// lacks reports whether an expression has a part that is never defined, and no
// part before that which may err.
func lacks(e expression) bool {
	switch e.(type) {
	case dot, apart, length, literal, call, callBuiltin:
	default:
		return false
	}
	is, before := false, true
	eachPart(e, func(part expression) expression {
		is = is || before && isNothing(part)
		before = before && quiet(part)
		return part
	})
	return is
}

func areConstants(e expression) bool {
	all := true
	eachPart(e, func(part expression) expression {
		all = all && isConstant(part)
		return part
	})
	return all
}

// evaluated is the value of an expression that is known; the expression itself
// where finding it takes long or errs, which is then the evaluation's.
func (s *resolver) evaluated(e expression) expression {
	if s.calculator == nil {
		s.calculator = &executable{idle: new(sync.Pool)}
	}
	c := &coder{static: s.static, parts: make(map[string]int)}
	v := c.value(e)
	m := s.calculator.machine(&run{ctx: context.Background(), static: s.static, now: time.Unix(0, 0), steps: maxFoldSteps})
	defer s.calculator.release(m)
	term := settle(m, v(m))
	switch {
	case m.err != nil || m.fault != nil:
		return e
	case term == nil:
		return nothing{}
	case weight(term.Value, maxFoldSteps) > maxFoldSteps:
		return e
	}
	sorted(term)
	return constant{term}
}
