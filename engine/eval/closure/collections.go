package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// making is the code of a collection written out that may not be needed as OPA's.
func (c *coder) making(e literal) value {
	of, size := e.kind, len(e.values)
	if size > maxLiteral {
		return c.literal(e)
	}
	var parts []value
	for i, v := range e.values {
		if of == objectKind {
			parts = append(parts, c.settled(e.keys[i]), c.value(v))
		} else {
			parts = append(parts, c.settled(v))
		}
	}
	return func(m *machine) *ast.Term {
		terms, defined := m.sideBySide(parts)
		if !defined || !m.work(size) {
			return nil
		}
		b := m.building(of)
		switch of {
		case arrayKind:
			b.elements = append(b.elements, terms...)
		case setKind:
			for _, member := range terms {
				if !m.pay(m.weigh(member.Value)) {
					return nil
				}
				b.add(member)
			}
		default:
			for i := 0; i < len(terms); i += 2 {
				switch at := b.object.position(terms[i]); {
				case at < 0:
					b.object.add(terms[i], terms[i+1])
				case e.written[i/2]: // see precedence
					b.object.list[at][1] = terms[i+1]
				}
			}
		}
		return &b.term
	}
}

// sideBySide are the values of operands side by side, until others are asked for. It is
// false where one is undefined.
func (m *machine) sideBySide(operands []value) (terms []*ast.Term, defined bool) {
	base := len(m.operands)
	for _, operand := range operands {
		term := operand(m)
		if term == nil {
			m.operands = m.operands[:base]
			return nil, false
		}
		m.operands = append(m.operands, term)
	}
	terms = m.operands[base:]
	m.operands = m.operands[:base]
	return terms, true
}

// maxLiteral is up to how many members of a collection written out are looked
// through one after another.
const maxLiteral = 16

// literal is the code of a collection written out, as OPA's.
func (c *coder) literal(e literal) value {
	keys, values := c.settledAll(e.keys), c.settledAll(e.values)
	switch e.kind {
	case arrayKind:
		return func(m *machine) *ast.Term {
			elements := terms(m, values)
			if elements == nil || !m.work(len(elements)) {
				return nil
			}
			return ast.ArrayTerm(elements...)
		}
	case setKind:
		return func(m *machine) *ast.Term {
			elements := terms(m, values)
			if elements == nil || !m.work(len(elements)) {
				return nil
			}
			for _, element := range elements {
				if !m.pay(m.weigh(element.Value)) {
					return nil
				}
			}
			return ast.SetTerm(elements...)
		}
	default:
		places := precedence(e.written)
		return func(m *machine) *ast.Term {
			members := make([][2]*ast.Term, len(keys))
			for i, at := range places {
				if members[at][0] = keys[i](m); members[at][0] == nil {
					return nil
				}
				if members[at][1] = values[i](m); members[at][1] == nil {
					return nil
				}
			}
			if !m.work(len(members)) {
				return nil
			}
			return object(members)
		}
	}
}

// object is an object of members, of which the last of equal keys counts.
func object(members [][2]*ast.Term) *ast.Term {
	o := ast.NewObjectWithCapacity(len(members))
	for _, member := range members {
		o.Insert(member[0], member[1])
	}
	return ast.NewTerm(o)
}

// precedence are the places of the members of an object written out, where the
// last of equal keys counts. For OPA's evaluator it is the one that is written as a
// constant, and else the first.
func precedence(written []bool) []int {
	places := make([]int, len(written))
	last := len(written) - 1
	for _, constants := range []bool{true, false} {
		for i, is := range written {
			if is == constants {
				places[i] = last
				last--
			}
		}
	}
	return places
}

func (c *coder) settledAll(list []expression) []value {
	values := make([]value, len(list))
	for i, e := range list {
		values[i] = c.settled(e)
	}
	return values
}
