package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// scan is the code of a loop over the members of a collection.
func (c *coder) scan(s *scan) step {
	if seek := c.seek(s); seek != nil {
		return seek
	}
	of := c.value(s.of)
	l := &loop{body: c.block(s.body), key: -1, value: c.slot(s.value)}
	if s.key != none {
		l.key = c.slot(s.key)
	}
	return func(m *machine) signal {
		collection := of(m)
		if collection == nil {
			return m.absent()
		}
		end := l.over(m, collection)
		if m.err != nil {
			return halt
		}
		return end
	}
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

// overObject goes through an object, which OPA lets only a callback do. The
// callback is made once for a machine and each depth of loops.
func (l *loop) overObject(m *machine, object ast.Object) signal {
	if object.Len() == 0 {
		return goOn
	}
	if m.depth == len(m.walkers) {
		w := &walker{machine: m}
		w.visit = w.turn
		m.walkers = append(m.walkers, w)
	}
	w := m.walkers[m.depth]
	m.depth++
	w.loop, w.end = l, goOn
	object.Until(w.visit)
	m.depth--
	w.loop = nil
	return w.end
}

// A walker is a loop over an object.
type walker struct {
	machine *machine
	loop    *loop
	end     signal
	visit   func(key, value *ast.Term) bool // turn
}

func (w *walker) turn(key, value *ast.Term) bool {
	if w.loop.key >= 0 {
		w.machine.slots[w.loop.key] = key
	}
	end, goes := w.loop.turn(w.machine, value)
	w.end = end
	return !goes
}
