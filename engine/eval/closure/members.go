package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// member is the code of x in xs of which only the truth is asked for.
func (c *coder) member(e callBuiltin) step {
	a, b := c.settled(e.args[0]), c.value(e.args[1])
	holds, _ := native.LookupPredicate(e.name)
	report := reporter{name: e.name, at: e.at}
	return func(m *machine) signal {
		x := a(m)
		if x == nil {
			return m.absent()
		}
		xs := b(m)
		if xs == nil {
			return m.absent()
		}
		var truth bool
		var err error
		if set, isBuilding := xs.Value.(*building); isBuilding && set.kind == setKind {
			truth = set.contains(x)
		} else if xs = settle(m, xs); xs == nil {
			return m.absent()
		} else {
			truth, err = holds(x, xs)
		}
		switch {
		case err != nil:
			report.note(m, err)
			return undefined
		case !truth:
			return undefined
		}
		return goOn
	}
}

// hasKey is the code of x in object.keys(o), which needs no set of the keys.
func (c *coder) hasKey(key expression, keys callBuiltin) step {
	k, of := c.settled(key), c.value(keys.args[0])
	f, _ := native.Lookup(keys.name)
	report := reporter{name: keys.name, at: keys.at}
	inObject := c.inRequestObject(keys.args[0])
	return func(m *machine) signal {
		x := k(m)
		if x == nil {
			return m.absent()
		}
		if inObject != nil && m.world.isRequest {
			if name, isText := x.Value.(ast.String); isText && inObject(m, string(name)) {
				return goOn
			}
			return undefined
		}
		o := of(m)
		if o == nil {
			return m.absent()
		}
		if o = settle(m, o); o == nil {
			return m.absent()
		}
		object, isObject := o.Value.(ast.Object)
		if !isObject {
			_, err := f.Unary(o)
			report.note(m, err)
			return undefined
		}
		if object.Get(x) == nil {
			return undefined
		}
		return goOn
	}
}
