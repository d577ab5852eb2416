package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// What a caller sends is read where it stands: an object or an array of it is a
// lazy value, and only what a policy takes as a whole is converted.

// sent is what stands at a path of names in something sent, or nil.
func (m *machine) sent(at any, names []string) *ast.Term {
	for _, name := range names {
		members, isObject := at.(authz.Object)
		if !isObject {
			return nil
		}
		var has bool
		if at, has = members[name]; !has {
			return nil
		}
	}
	return m.asSent(at)
}

// asSent is something sent as a value.
func (m *machine) asSent(value any) *ast.Term {
	switch value := value.(type) {
	case string:
		return m.texts.term(value)
	case authz.Object:
		if len(value) == 0 {
			return ast.InternedEmptyObject
		}
	case []any:
		if len(value) == 0 {
			return ast.InternedEmptyArray
		}
	default:
		term, err := eval.Value(value)
		if err != nil {
			m.fail(err)
			return nil
		}
		return term
	}
	l := m.known.take()
	l.sent = value
	return l.begin(m, sentLazy)
}

// inSent is what stands at key in something sent, or nil.
func (l *lazy) inSent(m *machine, key *ast.Term) *ast.Term {
	switch sent := l.sent.(type) {
	case authz.Object:
		name, isName := key.Value.(ast.String)
		if !isName {
			return nil
		}
		if value, has := sent[string(name)]; has {
			return m.asSent(value)
		}
	case []any:
		number, isNumber := key.Value.(ast.Number)
		if !isNumber {
			return nil
		}
		if i, isInteger := number.Int(); isInteger && i >= 0 && i < len(sent) {
			return m.asSent(sent[i])
		}
	}
	return nil
}

// sentLength is how many members something sent has.
func (l *lazy) sentLength() int {
	switch sent := l.sent.(type) {
	case authz.Object:
		return len(sent)
	case []any:
		return len(sent)
	default:
		return 0
	}
}

// sentWhole converts something sent.
func (l *lazy) sentWhole(m *machine) *ast.Term {
	term, err := eval.Value(l.sent)
	if err != nil {
		m.fail(err)
		return nil
	}
	return term
}

// overSent runs a loop over something sent. The members of an object are gone
// through in OPA's order, for which it is converted.
func (l *loop) overSent(m *machine, of *lazy) signal {
	elements, isArray := of.sent.([]any)
	if !isArray {
		if whole := of.settle(m); whole != nil {
			return l.over(m, whole)
		}
		return goOn
	}
	for i, element := range elements {
		if l.key >= 0 {
			m.slots[l.key] = ast.InternedTerm(i)
		}
		value := m.asSent(element)
		if value == nil {
			return halt
		}
		if end, goes := l.turn(m, value); !goes {
			return end
		}
	}
	return goOn
}
