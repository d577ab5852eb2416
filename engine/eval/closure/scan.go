package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// scan is the code of a loop over the members of a collection.
func (c *coder) scan(s *scan) step {
	if seek := c.seek(s); seek != nil {
		return seek
	}
	l := &loop{body: c.block(s.body), key: -1, value: c.slot(s.value)}
	if s.key != none {
		l.key = c.slot(s.key)
	}
	if over := c.overMember(s.of, l); over != nil {
		return over
	}
	of := c.value(s.of)
	return func(m *machine) signal {
		collection := of(m)
		if collection == nil {
			return m.absent()
		}
		return l.all(m, collection)
	}
}

// overMember is the code of a loop over what has the name of a member of an entity,
// which is not made if it is that; nil for other loops.
func (c *coder) overMember(of expression, l *loop) step {
	d, isDot := of.(dot)
	if !isDot {
		return nil
	}
	name, _ := constantText(d.key)
	member, isMember := eval.MemberNamed(name)
	if !isMember || !gone[member] {
		return nil
	}
	from, key := c.value(d.of), d.key.(constant).term
	return func(m *machine) signal {
		in := from(m)
		if in == nil {
			return m.absent()
		}
		if e, isLazy := in.Value.(*lazy); isLazy && e.kind == entityLazy {
			return l.through(m, e.entity, member)
		}
		collection := lookUp(m, in, key)
		if collection == nil {
			return m.absent()
		}
		return l.all(m, collection)
	}
}

// gone are the members that all entities have, and that can be gone through one by
// one.
var gone = [eval.Permissions + 1]bool{
	eval.Attributes: true, eval.Parents: true, eval.Ancestors: true, eval.Distances: true, eval.Grants: true, eval.GrantsByScope: true,
}

// all runs the loop over a collection to its end.
func (l *loop) all(m *machine, collection *ast.Term) signal {
	end := l.over(m, collection)
	if m.err != nil {
		return halt
	}
	return end
}

// through runs the loop over a member of an entity.
func (l *loop) through(m *machine, of eval.Entity, member eval.Member) signal {
	w := m.enterLoop(l)
	err := of.Each(m.ctx, member, w.next)
	end := m.leaveLoop(w)
	if err != nil {
		m.fail(err)
	}
	if m.err != nil {
		return halt
	}
	return end
}

// A loop is what is done with each member of a collection.
type loop struct {
	body       step
	key, value int // places; key is -1 where nobody reads it
}

// over runs the loop over a collection, in OPA's order. What is no collection
// has no members.
func (l *loop) over(m *machine, collection *ast.Term) signal {
	switch v := collection.Value.(type) {
	case *ast.Array:
		for i := range v.Len() {
			if l.key >= 0 {
				m.slots[l.key] = ast.InternedTerm(i)
			}
			if end, goes := l.turn(m, v.Elem(i)); !goes {
				return end
			}
		}
	case *building:
		if v.kind == setKind {
			return l.overSet(m, v.sorted())
		}
		return l.over(m, v.settle(m))
	case *lazy:
		if v.kind == sentLazy {
			return l.overSent(m, v)
		}
		if whole := v.settle(m); whole != nil {
			return l.over(m, whole)
		}
	case ast.Set:
		return l.overSet(m, v.Slice())
	case ast.Object:
		return l.overObject(m, v)
	}
	return goOn
}

func (l *loop) overSet(m *machine, members []*ast.Term) signal {
	for _, member := range members {
		if l.key >= 0 {
			m.slots[l.key] = member
		}
		if end, goes := l.turn(m, member); !goes {
			return end
		}
	}
	return goOn
}

// turn runs the loop for one member, whose key is in its place. It is false at
// the loop's end, with the signal to what is around it.
func (l *loop) turn(m *machine, value *ast.Term) (signal, bool) {
	if !m.step() {
		return halt, false
	}
	m.slots[l.value] = value
	if s := l.body(m); s > undefined {
		return s.outward(), false
	}
	return goOn, true
}

// overObject goes through an object, which OPA lets only a callback do.
func (l *loop) overObject(m *machine, object ast.Object) signal {
	if object.Len() == 0 {
		return goOn
	}
	w := m.enterLoop(l)
	object.Until(w.stop)
	return m.leaveLoop(w)
}

// A walker is a loop for what calls back. It is made once for a machine and each
// depth of loops.
type walker struct {
	machine *machine
	loop    *loop
	end     signal
	stop    func(key, value *ast.Term) bool // a turn, and whether it was the last
	next    func(key, value *ast.Term) bool // a turn, and whether it was not
}

func (m *machine) enterLoop(l *loop) *walker {
	if m.depth == len(m.walkers) {
		w := &walker{machine: m}
		w.next = w.turn
		w.stop = func(key, value *ast.Term) bool { return !w.turn(key, value) }
		m.walkers = append(m.walkers, w)
	}
	w := m.walkers[m.depth]
	m.depth++
	w.loop, w.end = l, goOn
	return w
}

func (m *machine) leaveLoop(w *walker) signal {
	m.depth--
	w.loop = nil
	return w.end
}

func (w *walker) turn(key, value *ast.Term) bool {
	if w.loop.key >= 0 {
		w.machine.slots[w.loop.key] = key
	}
	end, goes := w.loop.turn(w.machine, value)
	w.end = end
	return goes
}
