package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// A path is a chain of dots: where it begins, and the keys on the way.
type path struct {
	root expression
	keys []expression
}

func pathOf(e dot) path {
	var keys []expression
	var root expression = e
	named := true // all keys so far
	for {
		if end, isApart := root.(apart); isApart && (named || !inData(end)) {
			root = end.of
			continue
		}
		d, isDot := root.(dot)
		if !isDot {
			break
		}
		keys = append(keys, d.key)
		named = named && isWord(d.key)
		root = d.of
	}
	for i, j := 0, len(keys)-1; i < j; i, j = i+1, j-1 {
		keys[i], keys[j] = keys[j], keys[i]
	}
	return path{root, keys}
}

// isWord reports whether a key is one that is looked up in a base document as in
// any value: a text that is no number.
func isWord(key expression) bool {
	text, isText := constantText(key)
	return isText && (text == "" || text[0] < '0' || text[0] > '9')
}

// within is an expression without what sets it apart.
func within(e expression) expression {
	if end, isApart := e.(apart); isApart {
		return end.of
	}
	return e
}

// inData reports whether a path begins in the document data.
func inData(e expression) bool {
	for {
		switch next := e.(type) {
		case dot:
			e = next.of
		case apart:
			e = next.of
		default:
			return isData(e)
		}
	}
}

// names are the keys that the path begins with and that are constant texts.
func (p path) names() []string {
	var names []string
	for _, key := range p.keys {
		name, isName := constantText(key)
		if !isName {
			break
		}
		names = append(names, name)
	}
	return names
}

func constantText(e expression) (string, bool) {
	k, isConstant := e.(constant)
	if !isConstant {
		return "", false
	}
	text, isText := k.term.Value.(ast.String)
	return string(text), isText
}

// dot is the code of a chain of dots. What can be resolved of it is, by where
// it begins.
func (c *coder) dot(e dot) value {
	p := pathOf(e)
	names := p.names()
	switch p.root.(type) {
	case inputDocument:
		n := len(names)
		return c.onward(c.inInput(names, c.onward(c.value(p.root), p.keys[:n], lookUp)), p.keys[n:], lookUp)
	case dataDocument:
		everywhere := c.onward(c.value(p.root), p.keys, inBase)
		if len(names) > 0 && names[0] == directoryName {
			return c.inDirectory(p.keys[1:], everywhere)
		}
		return c.inStatic(names, p.keys, everywhere)
	}
	return c.onward(c.value(p.root), p.keys, lookUp)
}

// A finder is what stands at a key of a value, as lookUp and inBase find it.
type finder func(m *machine, in, key *ast.Term) *ast.Term

// onward is the code of keys that follow one another from a value on. Two keys
// into an entity are read without the member that the first one names.
func (c *coder) onward(from value, keys []expression, find finder) value {
	if len(keys) == 0 {
		return from
	}
	name, isName := constantText(keys[0])
	member, isMember := eval.MemberNamed(name)
	if isName && isMember && len(keys) > 1 {
		return c.onward(c.lookup(from, member, keys, find), keys[2:], find)
	}
	return c.onward(c.at(from, keys[0], find), keys[1:], find)
}

// at is the code of one key.
func (c *coder) at(from value, k expression, find finder) value {
	if fixed, isConstant := k.(constant); isConstant {
		key := fixed.term
		name, _ := constantText(k)
		if member, isMember := eval.MemberNamed(name); isMember {
			return func(m *machine) *ast.Term {
				in := from(m)
				if in == nil {
					return nil
				}
				if l, isLazy := in.Value.(*lazy); isLazy && l.kind == entityLazy {
					return l.memberOf(m, member)
				}
				return find(m, in, key)
			}
		}
		return func(m *machine) *ast.Term {
			in := from(m)
			if in == nil {
				return nil
			}
			return find(m, in, key)
		}
	}
	key := c.value(k)
	return func(m *machine) *ast.Term {
		in := from(m)
		if in == nil {
			return nil
		}
		k := key(m)
		if k == nil {
			return nil
		}
		return find(m, in, k)
	}
}

// lookup is the code of two keys, of which the first has the name of an
// entity's member.
func (c *coder) lookup(from value, member eval.Member, keys []expression, find finder) value {
	name, key := keys[0].(constant).term, c.value(keys[1])
	return func(m *machine) *ast.Term {
		in := from(m)
		if in == nil {
			return nil
		}
		k := key(m)
		if k == nil {
			return nil
		}
		if l, isLazy := in.Value.(*lazy); isLazy && l.kind == entityLazy {
			if k = settle(m, k); k == nil {
				return nil
			}
			return l.lookup(m, member, k)
		}
		if in = find(m, in, name); in == nil {
			return nil
		}
		return find(m, in, k)
	}
}

// inDirectory is the code of keys in data.directory. Everywhere is that of the
// whole path for when a with has replaced a part of data.
func (c *coder) inDirectory(keys []expression, everywhere value) value {
	if len(keys) < 2 {
		return everywhere
	}
	entity := c.entity(keys[0], keys[1])
	here := c.onward(entity, keys[2:], lookUp)
	return func(m *machine) *ast.Term {
		if m.world.data != nil {
			return everywhere(m)
		}
		return here(m)
	}
}

// entity is the code of data.directory[typ][id] and data.directory.ref[ref].
func (c *coder) entity(typ, id expression) value {
	name := c.baseName(id)
	if known, isName := constantText(typ); isName {
		if known == refName {
			return func(m *machine) *ast.Term {
				ref, isText := name(m)
				if !isText {
					return nil
				}
				return m.known.byRef(m, ref)
			}
		}
		return func(m *machine) *ast.Term {
			id, isText := name(m)
			if !isText {
				return nil
			}
			return m.known.entity(m, known, id)
		}
	}
	typeName := c.baseName(typ)
	return func(m *machine) *ast.Term {
		typ, isText := typeName(m)
		if !isText {
			return nil
		}
		id, isText := name(m)
		if !isText {
			return nil
		}
		if typ == refName {
			return m.known.byRef(m, id)
		}
		return m.known.entity(m, typ, id)
	}
}

// baseName is the code of a key as a name in a base document. See baseName.
func (c *coder) baseName(e expression) text {
	t, v := c.text(e), c.value(e)
	return func(m *machine) (string, bool) {
		if t != nil {
			if text, isText := t(m); isText {
				return text, true
			}
		}
		term := settle(m, v(m))
		if term == nil {
			return "", false
		}
		return baseName(term)
	}
}

// inStatic is the code of a path in the static data, which is resolved as far
// as its keys are constants.
func (c *coder) inStatic(names []string, keys []expression, everywhere value) value {
	if len(names) == 0 {
		return everywhere
	}
	at := c.static
	for _, name := range names {
		if at != nil {
			at = inBase(nil, at, ast.InternedTerm(name))
		}
	}
	here := c.onward(func(*machine) *ast.Term { return at }, keys[len(names):], inBase)
	return func(m *machine) *ast.Term {
		if m.world.data != nil {
			return everywhere(m)
		}
		return here(m)
	}
}
