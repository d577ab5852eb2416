package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// literal is the code of a collection written out.
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
		return func(m *machine) *ast.Term {
			members := make([][2]*ast.Term, len(keys))
			for i := range keys {
				if members[i][0] = keys[i](m); members[i][0] == nil {
					return nil
				}
				if members[i][1] = values[i](m); members[i][1] == nil {
					return nil
				}
			}
			if !m.work(len(members)) {
				return nil
			}
			return ast.ObjectTerm(members...)
		}
	}
}

func (c *coder) settledAll(list []expression) []value {
	values := make([]value, len(list))
	for i, e := range list {
		values[i] = c.settled(e)
	}
	return values
}
