package closure

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// statement is the code of a statement: one case for each kind.
func (c *coder) statement(s statement) step {
	switch s := s.(type) {
	case *assign:
		return c.assign(c.slot(s.to), c.value(s.value))
	case *keep:
		return c.keep(c.slot(s.to), c.value(s.value))
	case *assignOnce:
		return c.assignOnce(s)
	case *reset:
		slot := c.slot(s.local)
		return func(m *machine) signal { m.slots[slot] = nil; return goOn }
	case *equal:
		return c.equal(s)
	case *differ:
		return c.differ(s)
	case *isKind:
		return c.isKind(s)
	case *isDefined:
		slot, want := c.slot(s.local), s.defined
		return func(m *machine) signal {
			if (m.slots[slot] != nil) != want {
				return undefined
			}
			return goOn
		}
	case *group:
		return c.group(s)
	case *leave:
		blocks := s.blocks
		return func(*machine) signal { return blocks }
	case *scan:
		return c.scan(s)
	case *negate:
		return c.negate(s)
	case *replace:
		return c.replace(s)
	case *create:
		slot, kind := c.slot(s.to), s.kind
		return func(m *machine) signal { m.slots[slot] = empty[kind]; return goOn }
	case *appendTo:
		return c.appendTo(s)
	case *addTo:
		return c.addTo(s)
	case *insert:
		return c.insert(s)
	case *insertDeep:
		return c.insertDeep(s)
	case *merge:
		return c.merge(s)
	case *result:
		return c.result(s)
	case *observed:
		return c.observed(s)
	default:
		panic(fmt.Sprintf("a statement of type %T has no code", s))
	}
}

func (c *coder) assign(slot int, v value) step {
	return func(m *machine) signal {
		term := v(m)
		if term == nil {
			return m.absent()
		}
		m.slots[slot] = term
		return goOn
	}
}

func (c *coder) keep(slot int, v value) step {
	return func(m *machine) signal {
		m.slots[slot] = v(m)
		if m.err != nil {
			return halt
		}
		return goOn
	}
}

func (c *coder) assignOnce(s *assignOnce) step {
	slot, v, conflict := c.slot(s.to), c.value(s.value), c.conflict(c.inside, s.at)
	if s.ofKey {
		conflict = keyConflict(s.at)
	}
	then := goOn
	if c.leaves {
		then = leaveBody
	}
	return func(m *machine) signal {
		term := v(m)
		if term == nil {
			return m.absent()
		}
		switch earlier := m.slots[slot]; {
		case earlier == nil:
			m.slots[slot] = term
		case !same(m, earlier, term):
			return conflict(m)
		}
		return then
	}
}

func (c *coder) equal(s *equal) step {
	a, b := c.value(s.a), c.value(s.b)
	whole := func(m *machine) signal {
		x := a(m)
		if x == nil {
			return m.absent()
		}
		y := b(m)
		if y == nil {
			return m.absent()
		}
		if !same(m, x, y) {
			return m.absent()
		}
		return goOn
	}
	if t := c.text(s.b); t != nil {
		return c.equalText(s.a, t, whole)
	}
	if t := c.text(s.a); t != nil {
		return c.equalText(s.b, t, whole)
	}
	return whole
}

// equalText is the code of an equality of which one side is mostly a text. Whole
// is that of all values, for when it is none: under a with, a field of the
// request may be anything.
func (c *coder) equalText(e expression, other text, whole step) step {
	if t := c.text(e); t != nil {
		return func(m *machine) signal {
			x, isText := t(m)
			y, areTexts := other(m)
			if !isText || !areTexts {
				return whole(m)
			}
			if x != y {
				return undefined
			}
			return goOn
		}
	}
	v := c.value(e)
	return func(m *machine) signal {
		term := v(m)
		if term == nil {
			return m.absent()
		}
		y, isText := other(m)
		if !isText {
			return whole(m)
		}
		if x, isText := term.Value.(ast.String); !isText || string(x) != y {
			return m.absent()
		}
		return goOn
	}
}

func (c *coder) differ(s *differ) step {
	if isFalse(s.b) {
		if holds := c.predicate(s.a); holds != nil {
			return holds
		}
		return c.truth(s.a)
	}
	a, b := c.value(s.a), c.value(s.b)
	return func(m *machine) signal {
		x := a(m)
		if x == nil {
			return m.absent()
		}
		y := b(m)
		if y == nil {
			return m.absent()
		}
		if same(m, x, y) {
			return undefined
		}
		return goOn
	}
}

// truth is the code of a value that must be defined and not false.
func (c *coder) truth(e expression) step {
	holds := func(m *machine, x *ast.Term) signal {
		if x == nil {
			return m.absent()
		}
		if holds, isBoolean := x.Value.(ast.Boolean); isBoolean && !bool(holds) {
			return undefined
		}
		return goOn
	}
	if called, isCall := e.(call); isCall && len(called.args) == 0 {
		r := c.routines[called.function]
		return func(m *machine) signal {
			if known := &m.world.yielded[r.memo]; known.known {
				return holds(m, known.term)
			}
			return holds(m, r.remembered(m))
		}
	}
	v := c.value(e)
	return func(m *machine) signal { return holds(m, v(m)) }
}

// isFalse reports whether an expression is the constant false.
func isFalse(e expression) bool {
	k, isConstant := e.(constant)
	return isConstant && k.term.Value == ast.Value(ast.Boolean(false))
}

func (c *coder) isKind(s *isKind) step {
	v, kind := c.value(s.of), s.kind
	return func(m *machine) signal {
		term := v(m)
		if term == nil {
			return m.absent()
		}
		if is, ok := kindOf(term); !ok || is != kind {
			return undefined
		}
		return goOn
	}
}

// kindOf is what kind of collection a value is, if it is one.
func kindOf(t *ast.Term) (kind, bool) {
	switch v := t.Value.(type) {
	case *lazy:
		if _, isArray := v.sent.([]any); isArray {
			return arrayKind, true
		}
		return objectKind, true
	case *building:
		return v.kind, true
	case *ast.Array:
		return arrayKind, true
	case ast.Object:
		return objectKind, true
	case ast.Set:
		return setKind, true
	default:
		return 0, false
	}
}

func (c *coder) group(s *group) step {
	blocks := make([]step, len(s.blocks))
	for i, b := range s.blocks {
		blocks[i] = c.block(b)
	}
	if len(blocks) == 1 {
		block := blocks[0]
		return func(m *machine) signal {
			return block(m).past()
		}
	}
	return func(m *machine) signal {
		for _, block := range blocks {
			if s := block(m).past(); s != goOn {
				return s
			}
		}
		return goOn
	}
}

// negate clears what its block is to tell by being defined: the block may end
// before it says so, and may have said so for an element before.
func (c *coder) negate(s *negate) step {
	body := c.block(s.body)
	said := -1
	if n := len(s.body.statements); n > 0 {
		if last, asks := s.body.statements[n-1].(*isDefined); asks && last.defined {
			said = c.slot(last.local)
		}
	}
	if said < 0 {
		return func(m *machine) signal { return body(m).negated() }
	}
	return func(m *machine) signal {
		m.slots[said] = nil
		return body(m).negated()
	}
}

func (c *coder) replace(s *replace) step {
	v, body := c.value(s.value), c.block(s.body)
	input, path := s.input, s.path
	return func(m *machine) signal {
		value := v(m)
		if value == nil && (m.err != nil || len(path) > 0) {
			return m.absent()
		}
		if value != nil {
			if b, isBuilding := value.Value.(*building); isBuilding {
				value = b.settle(m) // the document is asked for by paths
			}
		}
		m.enter(input, path, value)
		if m.err != nil {
			return halt
		}
		s := body(m)
		m.leave()
		return s.outward()
	}
}

func (c *coder) appendTo(s *appendTo) step {
	slot, v := c.slot(s.array), c.value(s.value)
	return func(m *machine) signal {
		element := settle(m, v(m))
		if element == nil || !m.step() {
			return m.absent()
		}
		array := m.open(&m.slots[slot], arrayKind)
		array.elements = append(array.elements, element)
		return goOn
	}
}

func (c *coder) addTo(s *addTo) step {
	slot, v := c.slot(s.set), c.value(s.value)
	conflict := keyConflict(s.at)
	return func(m *machine) signal {
		member := settle(m, v(m))
		if member == nil || !m.step() {
			return m.absent()
		}
		set := m.open(&m.slots[slot], setKind)
		if set == nil {
			return conflict(m)
		}
		// What is there is compared with it.
		if len(set.elements) > 0 && !m.pay(m.weigh(member.Value)) {
			return halt
		}
		set.add(member)
		return goOn
	}
}

// keyConflict is the error of rules that yield different values for one key of
// an object.
func keyConflict(at *ast.Location) step {
	return failure(topdown.ConflictErr, "object keys must be unique", at)
}

func (c *coder) insert(s *insert) step {
	slot, k, v, once := c.slot(s.object), c.value(s.key), c.value(s.value), s.once
	written := s.written
	conflict := keyConflict(s.at)
	return func(m *machine) signal {
		key := settle(m, k(m))
		if key == nil {
			return m.absent()
		}
		value := v(m)
		if once {
			value = settle(m, value)
		}
		if value == nil || !m.step() {
			return m.absent()
		}
		object := m.open(&m.slots[slot], objectKind)
		if object == nil {
			return conflict(m)
		}
		if !m.pay(m.weigh(key.Value)) {
			return halt
		}
		switch at := object.object.position(key); {
		case at < 0:
			object.object.add(key, value)
		case !once: // see precedence
			if written {
				object.object.list[at][1] = value
			}
		case !same(m, object.object.list[at][1], value):
			return conflict(m)
		}
		return goOn
	}
}

// merge merges what rules yield into a base document, which wins.
func (c *coder) merge(s *merge) step {
	to, a, b := c.slot(s.to), c.settled(s.a), c.settled(s.b)
	return func(m *machine) signal {
		base, virtual := a(m), b(m)
		if base == nil || virtual == nil {
			return m.absent()
		}
		m.slots[to] = merged(m, base, virtual)
		return goOn
	}
}

// merged is two values in one. What both have is the first one's, unless both
// have an object there.
func merged(m *machine, a, b *ast.Term) *ast.Term {
	first, isObject := a.Value.(ast.Object)
	second, areObjects := b.Value.(ast.Object)
	if !isObject || !areObjects {
		return a
	}
	all := make([][2]*ast.Term, 0, first.Len()+second.Len())
	first.Foreach(func(key, value *ast.Term) {
		if other := second.Get(key); other != nil {
			value = merged(m, value, other)
		}
		all = append(all, [2]*ast.Term{key, value})
	})
	second.Foreach(func(key, value *ast.Term) {
		if first.Get(key) == nil {
			all = append(all, [2]*ast.Term{key, value})
		}
	})
	m.work(len(all))
	return ast.ObjectTerm(all...)
}

func (c *coder) result(s *result) step {
	v := c.value(s.value)
	return func(m *machine) signal {
		answer := settle(m, v(m))
		if answer == nil {
			return m.absent()
		}
		m.answers = append(m.answers, answer)
		return goOn
	}
}
