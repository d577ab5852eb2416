package closure

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A guard is a condition of a rule: a subject that a table may look at is one of
// the values.
type guard struct {
	subject
	values []*ast.Term
	ours   bool // see dispatch
}

// find is the guard of a subject, or nil.
func find(guards []guard, key string) *guard {
	for i := range guards {
		if guards[i].key == key {
			return &guards[i]
		}
	}
	return nil
}

// guardsOf are the conditions that a body of a function begins with. See hoist. The
// first rule that it calls, if that has no parameters and one body, lends it its
// own: they have to hold before anything in either can err.
func guardsOf(f *function, b *block) []guard {
	g := &guardFinder{tracer: newTracer(f)}
	for _, s := range b.statements {
		if !g.takes(s) {
			if called := conditionCall(s); called != nil {
				g.borrow(called)
			}
			break
		}
	}
	return g.found
}

type guardFinder struct {
	tracer *tracer
	found  []guard
}

// takes notes what a statement asks for. It is false for one that does more
// than ask for subjects.
func (g *guardFinder) takes(s statement) bool {
	switch s := s.(type) {
	case *reset:
	case *assign:
		if !g.isTabled(s.value) {
			return false
		}
		g.tracer.note(s)
	case *equal:
		if value, isConstant := s.b.(constant); isConstant {
			return g.add(s.at, s.a, value.term)
		} else if value, isConstant := s.a.(constant); isConstant {
			return g.add(s.at, s.b, value.term)
		} else if !g.isTabled(s.a) || !g.isTabled(s.b) {
			return false
		}
	case *differ:
		member, isCall := s.a.(callBuiltin)
		switch {
		case isCall && isFalse(s.b) && member.name == memberBuiltin && isCollection(member.args[1]):
			return g.add(s.at, member.args[0], membersOf(member.args[1].(constant).term)...)
		case !g.isTabled(s.a) || !isConstant(s.b):
			return false
		}
	default:
		return false
	}
	return true
}

func (g *guardFinder) isTabled(e expression) bool {
	of, is := g.tracer.trace(e)
	return is && of.tabled
}

// add notes that a subject is one of several values. What no table looks at, it
// passes over; it is false where that may err.
func (g *guardFinder) add(at atPlace, e expression, values ...*ast.Term) bool {
	of, is := g.tracer.trace(e)
	if !is || !of.tabled || find(g.found, of.key) != nil || slices.ContainsFunc(values, isComposite) {
		return !mayErr(e)
	}
	g.found = append(g.found, guard{of, values, insideParameter(of.path) || !isIndexed(at)})
	return true
}

// insideParameter reports whether a subject is a part of a parameter. OPA's index
// looks at parameters as a whole.
func insideParameter(subject expression) bool {
	d, isDot := subject.(dot)
	if !isDot {
		return false
	}
	_, isRead := pathOf(d).root.(read)
	return isRead
}

// conditionCall is the function without parameters that a statement asks the
// truth of, or whose value it takes; nil where it does neither.
func conditionCall(s statement) *function {
	var e expression
	switch s := s.(type) {
	case *differ:
		if !isConstant(s.b) {
			return nil
		}
		e = s.a
	case *assign:
		e = s.value
	default:
		return nil
	}
	for {
		d, isDot := e.(dot)
		if !isDot {
			break
		}
		if !isConstant(d.key) {
			return nil
		}
		e = d.of
	}
	if called, isCall := e.(call); isCall && len(called.args) == 0 {
		return called.function
	}
	return nil
}

// borrow takes the guards of a function with one rule and no default.
func (g *guardFinder) borrow(f *function) {
	if f.kind != complete || f.otherwise != nil || len(f.rules) != 1 || len(f.rules[0].bodies) != 1 {
		return
	}
	for _, lent := range guardsOf(f, f.rules[0].bodies[0]) {
		if find(g.found, lent.key) == nil {
			lent.ours = true
			g.found = append(g.found, lent)
		}
	}
}

// membersOf are the values that a constant collection has for x in it.
func membersOf(collection *ast.Term) []*ast.Term {
	var values []*ast.Term
	each(nil, collection, func(_, value *ast.Term) bool {
		values = append(values, value)
		return true
	})
	return values
}

func isComposite(t *ast.Term) bool { return !ast.IsScalar(t.Value) }
