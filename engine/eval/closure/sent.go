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
		var has bool
		if at, has = memberSent(at, name); !has {
			return nil
		}
	}
	return m.asSent(at)
}

// memberSent is the member of an object that was sent.
func memberSent(in any, name string) (member any, has bool) {
	switch in := in.(type) {
	case authz.Object:
		member, has = in[name]
	case map[string]string:
		member, has = in[name]
	}
	return member, has
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
	case map[string]string:
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
	switch key := key.Value.(type) {
	case ast.String:
		if value, has := memberSent(l.sent, string(key)); has {
			return m.asSent(value)
		}
	case ast.Number:
		sent, isArray := l.sent.([]any)
		if !isArray {
			return nil
		}
		if i, isInteger := key.Int(); isInteger && i >= 0 && i < len(sent) {
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
	case map[string]string:
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
