package closure

import (
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// object is an object that was just made as a caller has it, without its being
// made OPA's first. It is false for other values, such as an object with names that
// are no texts, which are eval.Yield's to convert or to refuse.
func (m *machine) object(t *ast.Term) (authz.Object, bool) {
	b, isBuilding := t.Value.(*building)
	if !isBuilding || b.kind != objectKind {
		return nil, false
	}
	if b.len() == 0 {
		return nil, true
	}
	object := make(authz.Object, b.len())
	for _, member := range b.object.list {
		name, isText := member[0].Value.(ast.String)
		if !isText {
			return nil, false
		}
		value, is := m.converted(member[1])
		if !is {
			return nil, false
		}
		object[string(name)] = value
	}
	return object, true
}

// converted is a value as a caller has it: numbers as json.Number, sets as sorted
// arrays.
func (m *machine) converted(t *ast.Term) (any, bool) {
	if !m.step() {
		return nil, false
	}
	switch v := t.Value.(type) {
	case ast.String:
		return string(v), m.pay(size(v))
	case ast.Number:
		return json.Number(v), m.pay(size(v))
	case ast.Boolean:
		return bool(v), true
	case ast.Null:
		return nil, true
	case *building:
		switch v.kind {
		case arrayKind:
			return m.list(v.all())
		case setKind:
			return m.list(v.sorted())
		}
		if v.len() == 0 {
			return authz.Object{}, true
		}
		return m.object(t)
	case *lazy:
		whole := settle(m, t)
		if whole == nil {
			return nil, false
		}
		return m.converted(whole)
	case *ast.Array, ast.Set, ast.Object:
		if !m.pay(m.weigh(v)) {
			return nil, false
		}
		plain, err := ast.JSONWithOpt(v, ast.JSONOpt{SortSets: true})
		return plain, err == nil
	default:
		return nil, false
	}
}

func (m *machine) list(terms []*ast.Term) (any, bool) {
	list := make([]any, len(terms))
	for i, term := range terms {
		var is bool
		if list[i], is = m.converted(term); !is {
			return nil, false
		}
	}
	return list, true
}
