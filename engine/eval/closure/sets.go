package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// An anySet is one of OPA's, or one that was just made and is not made OPA's to be
// compared or combined with another.
type anySet struct {
	made   ast.Set
	making *building
}

// setsOf are two values as sets; false unless both are, and one was just made.
func setsOf(a, b *ast.Term) (x, y anySet, are bool) {
	x, isSet := asSet(a)
	if !isSet {
		return x, y, false
	}
	y, are = asSet(b)
	return x, y, are && (x.making != nil || y.making != nil)
}

func asSet(t *ast.Term) (anySet, bool) {
	switch v := t.Value.(type) {
	case *building:
		return anySet{making: v}, v.kind == setKind
	case ast.Set:
		return anySet{made: v}, true
	default:
		return anySet{}, false
	}
}

func (s anySet) len() int {
	if s.making != nil {
		return s.making.len()
	}
	return s.made.Len()
}

func (s anySet) members() []*ast.Term {
	if s.making != nil {
		return s.making.all()
	}
	return s.made.Slice()
}

func (s anySet) contains(x *ast.Term) bool {
	if s.making != nil {
		return s.making.contains(x)
	}
	return s.made.Contains(x)
}

// equals reports whether two sets are equal. It is not known of sets with members
// that are more than texts: OPA compares those in order.
func (s anySet) equals(m *machine, other anySet) (equal, known bool) {
	if s.len() != other.len() {
		return false, true
	}
	members := s.members()
	for _, member := range members {
		if _, isText := member.Value.(ast.String); !isText {
			return false, false
		}
	}
	if !m.work(len(members)) {
		return false, true
	}
	for _, member := range members {
		if !other.contains(member) {
			return false, true
		}
	}
	return true, true
}

// A combination makes a set of two. It is false at the limit.
type combination func(m *machine, into *building, a, b anySet) bool

// combinations are those of OPA's operators on sets.
var combinations = map[string]combination{
	ast.And.Name: func(m *machine, into *building, a, b anySet) bool {
		if b.len() < a.len() {
			a, b = b, a
		}
		return selectMembers(m, into, a, func(x *ast.Term) bool { return b.contains(x) })
	},
	ast.Minus.Name: func(m *machine, into *building, a, b anySet) bool {
		return selectMembers(m, into, a, func(x *ast.Term) bool { return !b.contains(x) })
	},
	ast.Or.Name: func(m *machine, into *building, a, b anySet) bool {
		for _, s := range []anySet{a, b} {
			for _, member := range s.members() {
				if !m.pay(2 + m.weigh(member.Value)) {
					return false
				}
				into.add(member)
			}
		}
		return true
	},
}

func selectMembers(m *machine, into *building, from anySet, belongs func(*ast.Term) bool) bool {
	for _, member := range from.members() {
		if !m.pay(2 + m.weigh(member.Value)) {
			return false
		}
		if belongs(member) {
			into.elements = append(into.elements, member)
		}
	}
	return true
}

// combine is the code of an operator on two sets of which one was just made; nil
// for other calls.
func (c *coder) combine(e callBuiltin, f native.Func, report reporter) value {
	combined := combinations[e.name]
	if combined == nil {
		return nil
	}
	first, second, toll := c.value(e.args[0]), c.value(e.args[1]), tollOf(e.name)
	return func(m *machine) *ast.Term {
		a := first(m)
		if a == nil {
			return nil
		}
		b := second(m)
		if b == nil {
			return nil
		}
		x, y, are := setsOf(a, b)
		if !are {
			if a, b = settle(m, a), settle(m, b); a == nil || b == nil || !toll.charge(m, operands{a, b}) {
				return nil
			}
			result, err := f.Binary(a, b)
			if err != nil {
				return report.note(m, err)
			}
			return toll.made(m, result)
		}
		into := m.building(setKind)
		if !combined(m, into, x, y) {
			return nil
		}
		return &into.term
	}
}
