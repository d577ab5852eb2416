package closure

import (
	"fmt"
	"slices"
)

// eachOperand calls visit with every expression of a statement itself, in the
// order in which they are evaluated, and puts what visit returns in its place.
// Blocks inside the statement are left alone.
func eachOperand(s statement, visit func(expression) expression) {
	switch s := s.(type) {
	case *assign:
		s.value = visit(s.value)
	case *keep:
		s.value = visit(s.value)
	case *assignOnce:
		s.value = visit(s.value)
	case *equal:
		s.a = visit(s.a)
		s.b = visit(s.b)
	case *differ:
		s.a = visit(s.a)
		s.b = visit(s.b)
	case *isKind:
		s.of = visit(s.of)
	case *scan:
		s.of = visit(s.of)
	case *replace:
		s.value = visit(s.value)
	case *appendTo:
		s.value = visit(s.value)
	case *addTo:
		s.value = visit(s.value)
	case *insert:
		s.key = visit(s.key)
		s.value = visit(s.value)
	case *insertDeep:
		for i := range s.path {
			s.path[i] = visit(s.path[i])
		}
		if s.member != nil {
			s.member = visit(s.member)
		} else {
			s.value = visit(s.value)
		}
	case *merge:
		s.a = visit(s.a)
		s.b = visit(s.b)
	case *result:
		s.value = visit(s.value)
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

// sets are the locals that a statement itself sets or changes.
func sets(s statement) []local {
	switch s := s.(type) {
	case *assign:
		return []local{s.to}
	case *keep:
		return []local{s.to}
	case *assignOnce:
		return []local{s.to}
	case *reset:
		return []local{s.local}
	case *scan:
		if s.key == none {
			return []local{s.value}
		}
		return []local{s.key, s.value}
	case *create:
		return []local{s.to}
	case *appendTo:
		return []local{s.array}
	case *addTo:
		return []local{s.set}
	case *insert:
		return []local{s.object}
	case *insertDeep:
		return []local{s.object}
	case *merge:
		return []local{s.to}
	default:
		return nil
	}
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
		if s, isCheck := s.(*isDefined); isCheck {
			u.asked[s.local] = true
		}
		eachOperand(s, func(e expression) expression {
			return everyLeaf(e, func(leaf expression) expression {
				if r, isRead := leaf.(read); isRead {
					u.read[r.from]++
				}
				return leaf
			})
		})
	})
	return u
}

// substitute puts other expressions in the place of the reads of some locals.
func substitute(b *block, by map[local]expression) {
	everyStatement(b, func(s statement) {
		eachOperand(s, func(e expression) expression {
			return everyLeaf(e, func(leaf expression) expression {
				if r, isRead := leaf.(read); isRead {
					if other, replaced := by[r.from]; replaced {
						return other
					}
				}
				return leaf
			})
		})
	})
}

// renumber gives all locals in a block other numbers.
func renumber(b *block, number func(local) local) {
	everyStatement(b, func(s statement) {
		switch s := s.(type) {
		case *assign:
			s.to = number(s.to)
		case *keep:
			s.to = number(s.to)
		case *assignOnce:
			s.to = number(s.to)
		case *reset:
			s.local = number(s.local)
		case *isDefined:
			s.local = number(s.local)
		case *scan:
			if s.key != none {
				s.key = number(s.key)
			}
			s.value = number(s.value)
		case *create:
			s.to = number(s.to)
		case *appendTo:
			s.array = number(s.array)
		case *addTo:
			s.set = number(s.set)
		case *insert:
			s.object = number(s.object)
		case *insertDeep:
			s.object = number(s.object)
		case *merge:
			s.to = number(s.to)
		}
		eachOperand(s, func(e expression) expression {
			return everyLeaf(e, func(leaf expression) expression {
				if r, isRead := leaf.(read); isRead {
					return read{number(r.from)}
				}
				return leaf
			})
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
