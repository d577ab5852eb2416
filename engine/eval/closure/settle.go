package closure

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// settle makes a value OPA's own, if it is not. It is nil where that fails or
// where there is nothing, such as a type without entities.
func settle(m *machine, t *ast.Term) *ast.Term {
	if t == nil {
		return nil
	}
	switch v := t.Value.(type) {
	case *lazy:
		return v.settle(m)
	case *building:
		return v.settle(m)
	default:
		return t
	}
}

func (l *lazy) settle(m *machine) *ast.Term {
	if l.settled == nil {
		l.settled = l.whole(m)
	}
	return l.settled
}

// whole builds the value. Each entity counts against the limit of the
// decision.
func (l *lazy) whole(m *machine) *ast.Term {
	switch l.kind {
	case dataLazy:
		directory := settle(m, l.get(m, ast.NewTerm(directoryValue)))
		if directory == nil {
			return nil
		}
		all, _ := m.static.Value.(ast.Object).Merge(ast.NewObject([2]*ast.Term{ast.NewTerm(directoryValue), directory}))
		return ast.NewTerm(all)
	case directoryLazy:
		return m.wholeDirectory()
	case typeLazy:
		members := m.entitiesOf(l.typ, func(e eval.Entity) string { return e.Ref()[len(l.typ)+1:] })
		if m.err != nil || len(members) == 0 {
			return nil
		}
		return ast.ObjectTerm(members...)
	case refLazy:
		var members [][2]*ast.Term
		for _, typ := range m.types() {
			members = append(members, m.entitiesOf(typ, eval.Entity.Ref)...)
		}
		if m.err != nil {
			return nil
		}
		return ast.ObjectTerm(members...)
	case entityLazy:
		whole, err := l.entity.Value(m.ctx)
		if err != nil {
			m.fail(err)
			return nil
		}
		return whole
	case sentLazy:
		return l.sentWhole(m)
	default:
		return l.over.on(m, settle(m, l.base))
	}
}

// on is a value with a patch put over it.
func (p *patch) on(m *machine, base *ast.Term) *ast.Term {
	if p.value != nil {
		return settle(m, p.value)
	}
	for name, member := range p.members {
		key := ast.InternedTerm(name)
		var below *ast.Term
		if base != nil {
			below = lookUp(m, base, key)
		}
		base = replaced(base, []*ast.Term{key}, member.on(m, below))
	}
	return base
}

func (m *machine) wholeDirectory() *ast.Term {
	refs := settle(m, m.known.refs.begin(m, refLazy))
	members := [][2]*ast.Term{{ast.InternedTerm(refName), refs}}
	for _, typ := range m.types() {
		if entities := settle(m, m.known.ofType(m, typ)); entities != nil {
			members = append(members, [2]*ast.Term{ast.InternedTerm(typ), entities})
		}
	}
	if m.err != nil {
		return nil
	}
	return ast.ObjectTerm(members...)
}

// types are the entity types that there are.
func (m *machine) types() []string {
	var types []string
	err := m.directory.EachType(m.ctx, func(typ string) bool {
		types = append(types, typ)
		return m.step()
	})
	if err != nil {
		m.fail(err)
	}
	return types
}

// entitiesOf are the entities of a type under names, in the order of their ids.
func (m *machine) entitiesOf(typ string, name func(eval.Entity) string) [][2]*ast.Term {
	var members [][2]*ast.Term
	err := m.directory.EachEntity(m.ctx, typ, func(e eval.Entity) bool {
		whole, err := e.Value(m.ctx)
		if err != nil {
			m.fail(err)
			return false
		}
		members = append(members, [2]*ast.Term{ast.StringTerm(name(e)), whole})
		return m.step()
	})
	if err != nil {
		m.fail(err)
	}
	return members
}

// OPA's values are asked for these. Whoever takes a lazy value for one of OPA's
// gets the answers of the whole.

func (l *lazy) opa() ast.Value {
	if whole := l.settle(l.machine); whole != nil {
		return whole.Value
	}
	return ast.NewObject()
}

// Compare orders values as OPA does.
func (l *lazy) Compare(other ast.Value) int { return l.opa().Compare(other) }

// Find is what stands at a path.
func (l *lazy) Find(path ast.Ref) (ast.Value, error) { return l.opa().Find(path) }

// Hash is that of the whole.
func (l *lazy) Hash() int { return l.opa().Hash() }

// IsGround is true: there are no variables in it.
func (l *lazy) IsGround() bool { return true }

// String is the value in Rego.
func (l *lazy) String() string { return l.opa().String() }

// StringLength is the length of String.
func (l *lazy) StringLength() int { return len(l.String()) }

var _ fmt.Stringer = (*lazy)(nil)
