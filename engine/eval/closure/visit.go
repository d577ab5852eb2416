package closure

import (
	"fmt"
	"slices"
)

// A listing is what a statement itself has, besides its blocks: where it keeps its
// operands, in the order in which they are evaluated, first those of the path;
// the locals that it sets or changes; and the one of which it asks whether it is
// defined.
type listing struct {
	path     []expression
	operands [2]*expression
	sets     [2]*local
	asks     *local
}

// listingOf lists what there is in a statement. All that reads or changes the
// operands and locals of statements, whichever they are, goes by it.
func listingOf(s statement) (l listing) {
	switch s := s.(type) {
	case *assign:
		l.sets[0], l.operands[0] = &s.to, &s.value
	case *keep:
		l.sets[0], l.operands[0] = &s.to, &s.value
	case *assignOnce:
		l.sets[0], l.operands[0] = &s.to, &s.value
	case *reset:
		l.sets[0] = &s.local
	case *equal:
		l.operands = [2]*expression{&s.a, &s.b}
	case *differ:
		l.operands = [2]*expression{&s.a, &s.b}
	case *isKind:
		l.operands[0] = &s.of
	case *isDefined:
		l.asks = &s.local
	case *scan:
		l.operands[0] = &s.of
		if l.sets[1] = &s.value; s.key != none {
			l.sets[0] = &s.key
		}
	case *replace:
		l.operands[0] = &s.value
	case *create:
		l.sets[0] = &s.to
	case *appendTo:
		l.sets[0], l.operands[0] = &s.array, &s.value
	case *addTo:
		l.sets[0], l.operands[0] = &s.set, &s.value
	case *insert:
		l.sets[0], l.operands = &s.object, [2]*expression{&s.key, &s.value}
	case *insertDeep:
		if l.sets[0], l.path, l.operands[0] = &s.object, s.path, &s.value; s.member != nil {
			l.operands[0] = &s.member
		}
	case *merge:
		l.sets[0], l.operands = &s.to, [2]*expression{&s.a, &s.b}
	case *result:
		l.operands[0] = &s.value
	}
	return l
}

// eachOperand calls visit with every expression of a statement itself, in the
// order in which they are evaluated, and puts what visit returns in its place.
// Blocks inside the statement are left alone.
func eachOperand(s statement, visit func(expression) expression) {
	listed := listingOf(s)
	for i := range listed.path {
		listed.path[i] = visit(listed.path[i])
	}
	for _, operand := range listed.operands {
		if operand != nil {
			*operand = visit(*operand)
		}
	}
}

// eachPart calls visit with the expressions that another consists of, in the
// order in which they are evaluated, and returns the expression with what visit
// returns in their places.
func eachPart(e expression, visit func(expression) expression) expression {
	switch e := e.(type) {
	case dot:
		e.of = visit(e.of)
		e.key = visit(e.key)
		return e
	case apart:
		e.of = visit(e.of)
		return e
	case length:
		e.of = visit(e.of)
		return e
	case call:
		e.args = eachArgument(e.args, visit)
		return e
	case callBuiltin:
		e.args = eachArgument(e.args, visit)
		return e
	case callDynamic:
		e.path = eachArgument(e.path, visit)
		return e
	case literal:
		return eachMember(e, visit)
	default:
		return e
	}
}

func eachArgument(args []expression, visit func(expression) expression) []expression {
	visited := make([]expression, len(args))
	for i, arg := range args {
		visited[i] = visit(arg)
	}
	return visited
}

func eachMember(l literal, visit func(expression) expression) literal {
	keys, values := make([]expression, len(l.keys)), make([]expression, len(l.values))
	for i := range l.values {
		if l.kind == objectKind {
			keys[i] = visit(l.keys[i])
		}
		values[i] = visit(l.values[i])
	}
	l.keys, l.values = keys, values
	return l
}

// everyLeaf calls visit with the reads, constants and documents of an
// expression and puts what it returns in their places.
func everyLeaf(e expression, visit func(expression) expression) expression {
	if isLeaf(e) {
		return visit(e)
	}
	return eachPart(e, func(part expression) expression { return everyLeaf(part, visit) })
}

// inPlaceOfReads is an expression with others in the place of the locals that it
// reads; where that is nil, the local stays.
func inPlaceOfReads(e expression, by func(local) expression) expression {
	return everyLeaf(e, func(leaf expression) expression {
		if r, isRead := leaf.(read); isRead {
			if other := by(r.from); other != nil {
				return other
			}
		}
		return leaf
	})
}

// inner are the blocks of a statement.
func inner(s statement) []*block {
	switch s := s.(type) {
	case *group:
		return s.blocks
	case *scan:
		return []*block{s.body}
	case *negate:
		return []*block{s.body}
	case *replace:
		return []*block{s.body}
	case *observed:
		return s.blocks()
	default:
		return nil
	}
}

// everyBlock calls visit with a block and all blocks in it, the inner ones
// first.
func everyBlock(b *block, visit func(*block)) {
	for _, s := range b.statements {
		for _, nested := range inner(s) {
			everyBlock(nested, visit)
		}
	}
	visit(b)
}

// everyStatement calls visit with all statements of a block and those in them.
func everyStatement(b *block, visit func(statement)) {
	for _, s := range b.statements {
		visit(s)
		for _, nested := range inner(s) {
			everyStatement(nested, visit)
		}
	}
}

// everyOperand is eachOperand for all statements of a block and those in them.
func everyOperand(b *block, visit func(expression) expression) {
	everyStatement(b, func(s statement) { eachOperand(s, visit) })
}

// everyExpression calls visit with all expressions in a block, and with their parts
// before them.
func everyExpression(b *block, visit func(expression)) {
	everyOperand(b, func(e expression) expression {
		inOrder(e, visit)
		return e
	})
}

// eachRead calls visit with the locals that the operands of a statement itself
// read, each as often as they do.
func eachRead(s statement, visit func(local)) {
	eachOperand(s, func(e expression) expression {
		readsIn(e, visit)
		return e
	})
}

// readsIn is eachRead for an expression.
func readsIn(e expression, visit func(local)) {
	everyLeaf(e, func(leaf expression) expression {
		if r, isRead := leaf.(read); isRead {
			visit(r.from)
		}
		return leaf
	})
}

// sets are the locals that a statement itself sets or changes.
func sets(s statement) []local {
	var set []local
	for _, l := range listingOf(s).sets {
		if l != nil {
			set = append(set, *l)
		}
	}
	return set
}

// A usage is how often the locals of a body are set and read in it, and whether
// it is asked if they are defined.
type usage struct {
	set, read map[local]int
	asked     map[local]bool
}

func usageOf(b *block) usage {
	u := usage{make(map[local]int), make(map[local]int), make(map[local]bool)}
	everyStatement(b, func(s statement) {
		for _, l := range sets(s) {
			u.set[l]++
		}
		if asked := listingOf(s).asks; asked != nil {
			u.asked[*asked] = true
		}
		eachRead(s, func(l local) { u.read[l]++ })
	})
	return u
}

// idle reports whether a local is set in one place and nobody looks at it.
func (u usage) idle(l local) bool { return u.set[l] == 1 && u.read[l] == 0 && !u.asked[l] }

// substitute puts other expressions in the place of the reads of some locals.
func substitute(b *block, by map[local]expression) {
	everyOperand(b, func(e expression) expression {
		return inPlaceOfReads(e, func(l local) expression { return by[l] })
	})
}

// renumber gives all locals in a block other numbers.
func renumber(b *block, number func(local) local) {
	everyStatement(b, func(s statement) {
		listed := listingOf(s)
		for _, l := range [...]*local{listed.sets[0], listed.sets[1], listed.asks} {
			if l != nil {
				*l = number(*l)
			}
		}
		eachOperand(s, func(e expression) expression {
			return inPlaceOfReads(e, func(l local) expression { return read{number(l)} })
		})
	})
}

// copyOf is a block with statements and blocks of its own.
func copyOf(b *block) *block {
	copied := &block{statements: make([]statement, len(b.statements))}
	for i, s := range b.statements {
		copied.statements[i] = copyStatement(s)
	}
	return copied
}

func copyStatement(s statement) statement {
	switch s := s.(type) {
	case *assign:
		return shallow(s)
	case *keep:
		return shallow(s)
	case *assignOnce:
		return shallow(s)
	case *reset:
		return shallow(s)
	case *equal:
		return shallow(s)
	case *differ:
		return shallow(s)
	case *isKind:
		return shallow(s)
	case *isDefined:
		return shallow(s)
	case *leave:
		return shallow(s)
	case *create:
		return shallow(s)
	case *appendTo:
		return shallow(s)
	case *addTo:
		return shallow(s)
	case *insert:
		return shallow(s)
	case *insertDeep:
		copied := shallow(s)
		copied.path = slices.Clone(s.path)
		return copied
	case *merge:
		return shallow(s)
	case *result:
		return shallow(s)
	case *group:
		copied := &group{blocks: make([]*block, len(s.blocks))}
		for i, b := range s.blocks {
			copied.blocks[i] = copyOf(b)
		}
		return copied
	case *scan:
		copied := shallow(s)
		copied.body = copyOf(s.body)
		return copied
	case *negate:
		copied := shallow(s)
		copied.body = copyOf(s.body)
		return copied
	case *replace:
		copied := shallow(s)
		copied.body = copyOf(s.body)
		return copied
	case *observed:
		copied := shallow(s)
		copied.then = copyOf(s.then)
		copied.operands = slices.Clone(s.operands)
		for i, operand := range s.operands {
			copied.operands[i] = copyOf(operand)
		}
		return copied
	default:
		panic(fmt.Sprintf("a statement of type %T is not copied", s))
	}
}

func shallow[S any](s *S) *S {
	copied := *s
	return &copied
}
