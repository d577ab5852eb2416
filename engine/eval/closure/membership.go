package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// member is the code of x in xs of which only the truth is asked for.
func (c *coder) member(e callBuiltin) step {
	if list, isLiteral := e.args[1].(literal); isLiteral && list.kind != objectKind && len(list.values) <= maxSpread {
		return c.memberOf(e.args[0], list)
	}
	a, b := c.settled(e.args[0]), c.value(e.args[1])
	return func(m *machine) signal {
		x := a(m)
		if x == nil {
			return m.absent()
		}
		xs := b(m)
		if xs == nil || !m.contains(xs, x) {
			return m.absent()
		}
		return goOn
	}
}

// contains reports whether a value is in a collection, and counts what is looked
// at. Nothing is in what is no collection.
func (m *machine) contains(xs, x *ast.Term) bool {
	switch v := xs.Value.(type) {
	case *building:
		if v.kind == setKind {
			return m.pay(m.weigh(x.Value)) && v.contains(x)
		}
	case *lazy:
		if elements, isArray := v.sent.([]any); isArray && ast.IsScalar(x.Value) {
			return m.inSent(elements, x)
		}
	case *ast.Array:
		if ast.IsScalar(x.Value) {
			return m.inArray(v, x)
		}
	}
	xs = settle(m, xs)
	if xs == nil || !searching(m, operands{x, xs}) {
		return false
	}
	return native.Member(x, xs)
}

// memberOf is the code of x in a collection written out, which needs not be made
// for it.
func (c *coder) memberOf(x expression, list literal) step {
	member, elements := c.settled(x), c.settledAll(list.values)
	return func(m *machine) signal {
		x := member(m)
		if x == nil || !m.work(len(elements)) {
			return m.absent()
		}
		is := false
		for _, element := range elements {
			y := element(m)
			if y == nil || !comparing(m, operands{x, y}) {
				return m.absent()
			}
			is = is || native.Equal(x, y)
		}
		if !is {
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

// memberOr is the code of object.get(e.attributes, name, otherwise), which is
// read of an entity without the attributes as a whole; nil for other calls.
func (c *coder) memberOr(e callBuiltin) value {
	if e.name != ast.ObjectGet.Name {
		return nil
	}
	d, isDot := within(e.args[0]).(dot)
	key, isConstantKey := e.args[1].(constant)
	if !isDot || !isConstantKey || isComposite(key.term) {
		return nil
	}
	name, isName := constantText(d.key)
	member, isMember := eval.MemberNamed(name)
	if !isName || !isMember || member != eval.Attributes {
		return nil
	}
	of, otherwise := c.value(d.of), c.settled(e.args[2])
	f, _ := native.Lookup(e.name)
	report := reporter{name: e.name, at: e.at}
	memberName := d.key.(constant).term
	return func(m *machine) *ast.Term {
		entity := of(m)
		if entity == nil {
			return nil
		}
		l, isLazy := entity.Value.(*lazy)
		if isLazy && l.kind == entityLazy {
			instead := otherwise(m)
			if instead == nil {
				return nil
			}
			if found := l.lookup(m, member, key.term); found != nil || m.err != nil {
				return found
			}
			return instead
		}
		object := settle(m, lookUp(m, entity, memberName))
		if object == nil {
			return nil
		}
		instead := otherwise(m)
		if instead == nil {
			return nil
		}
		found, err := f.Ternary(object, key.term, instead)
		if err != nil {
			return report.note(m, err)
		}
		return found
	}
}
