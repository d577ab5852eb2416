package closure

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// A loop that begins by asking whether the member equals something else, and has
// no use for the member after that, asks whether there is such a member:
//
//	some guest in meeting.attributes.invited
//	guest == user.ref
//
// So it looks for it, by an index where there is one, and goes on once: what
// comes after would do the same again for each further member that is equal.

// A search is what a loop looks for, and what it does when it has found it.
type search struct {
	before *block // makes what is looked for, once for all members
	check  *equal
	x      expression
	rest   *block
}

// searchOf is the search that a loop is; false for other loops.
func searchOf(s *scan) (search, bool) {
	if s.key != none {
		return search{}, false
	}
	for i, next := range s.body.statements {
		check, isEqual := next.(*equal)
		if !isEqual {
			if preparing(next) {
				continue
			}
			return search{}, false
		}
		member, x := check.a, check.b
		if member != expression(read{s.value}) {
			member, x = x, member
		}
		found := search{&block{s.body.statements[:i:i]}, check, x, &block{s.body.statements[i+1:]}}
		if member != expression(read{s.value}) || !quiet(x) || !found.once(s.value) {
			return search{}, false
		}
		return found, true
	}
	return search{}, false
}

// preparing reports whether a statement does nothing but name what stands at a
// path, which can neither err nor take long.
func preparing(s statement) bool {
	is := true
	everyStatement(&block{[]statement{s}}, func(s statement) {
		switch s := s.(type) {
		case *assign:
			is = is && quiet(s.value)
		case *group, *leave:
		default:
			is = false
		}
	})
	return is
}

// once reports whether what is looked for is the same for all members, and what
// is done with one that is found is as well.
func (s search) once(member local) bool {
	asked := func(b *block) bool {
		used := usageOf(b)
		return used.read[member] > 0 || used.asked[member] || used.set[member] > 0
	}
	if asked(s.before) || asked(s.rest) || escapes(s.before, 0) || !repeatable(s.rest) {
		return false
	}
	changed := usageOf(s.rest).set
	same := true
	look := func(l local) { same = same && l != member && changed[l] == 0 }
	readsIn(s.x, look)
	everyStatement(s.before, func(st statement) {
		eachRead(st, look)
		for _, l := range sets(st) {
			same = same && changed[l] == 0
		}
	})
	return same
}

// repeatable reports whether to run a block again is to do nothing. Sets and
// objects have a member once, but an array has as many as are added.
func repeatable(b *block) bool {
	var made []local
	everyStatement(b, func(s statement) {
		if s, creates := s.(*create); creates {
			made = append(made, s.to)
		}
	})
	is := true
	everyStatement(b, func(s statement) {
		switch s := s.(type) {
		case *appendTo:
			is = is && slices.Contains(made, s.array)
		case *result, *observed:
			is = false
		}
	})
	return is
}

// seek is the code of a loop that looks for something; nil for other loops.
func (c *coder) seek(s *scan) step {
	found, is := searchOf(s)
	if !is {
		return nil
	}
	of, x, slot := c.value(s.of), c.value(found.x), c.slot(s.value)
	prepare, check, then := c.block(found.before), c.statement(found.check), c.block(found.rest)
	each := &loop{body: sequence([]step{prepare, check, then}), key: -1, value: slot}
	return func(m *machine) signal {
		collection := of(m)
		if collection == nil {
			return m.absent()
		}
		if seekable(collection) {
			if prepare(m) != goOn {
				return m.fruitless()
			}
			member := x(m)
			if member == nil {
				return m.fruitless()
			}
			if ast.IsScalar(member.Value) {
				if !m.step() || !m.seek(collection, member) {
					return m.fruitless()
				}
				m.slots[slot] = member
				if s := then(m); s > undefined {
					return s.outward()
				}
				return goOn
			}
		}
		return each.all(m, collection)
	}
}

// fruitless is what a loop ends with that has come to nothing.
func (m *machine) fruitless() signal {
	if m.err != nil {
		return halt
	}
	return goOn
}

// seekable reports whether a value is a collection with members that need not be
// made to look for one.
func seekable(collection *ast.Term) bool {
	switch v := collection.Value.(type) {
	case *ast.Array:
		return v.Len() > 0
	case ast.Set:
		return v.Len() > 0
	case *building:
		return v.kind == setKind && v.len() > 0
	case *lazy:
		elements, isArray := v.sent.([]any)
		return isArray && len(elements) > 0
	default:
		return false
	}
}

// seek reports whether a scalar is a member of what is seekable, and counts what
// it looks at.
func (m *machine) seek(collection, x *ast.Term) bool {
	switch v := collection.Value.(type) {
	case *ast.Array:
		return m.inArray(v, x)
	case *lazy:
		return m.inSent(v.sent.([]any), x)
	case *building:
		if v.to != nil {
			return v.contains(x)
		}
		return m.amongst(v.elements, x)
	case ast.Set:
		// By their hashes, large numbers are not found that equal others.
		if _, isText := x.Value.(ast.String); isText {
			return v.Contains(x)
		}
		return m.amongst(v.Slice(), x)
	default:
		return false
	}
}

// perStep is how many members go by in a step that are compared with a scalar.
const perStep = 8

// inArray reports whether a value is an element of an array. A text is found in a
// long one from the directory by the index that is kept of it: of a thousand
// elements, that takes a hundredth of the time (BenchmarkScenario/membership).
func (m *machine) inArray(array *ast.Array, x *ast.Term) bool {
	if _, isText := x.Value.(ast.String); isText && array.Len() > fewElements && m.directory != nil {
		if found, known := m.directory.Contains(array, x); known {
			return found
		}
	}
	if !m.work(array.Len() / perStep) {
		return false
	}
	return native.InArray(x, array)
}

// fewElements is up to how many elements an array is known to have no index for.
const fewElements = 16

func (m *machine) amongst(members []*ast.Term, x *ast.Term) bool {
	if !m.work(len(members) / perStep) {
		return false
	}
	for _, member := range members {
		if native.Equal(member, x) {
			return true
		}
	}
	return false
}

// inSent reports whether a scalar is an element of an array that was sent.
func (m *machine) inSent(elements []any, x *ast.Term) bool {
	if !m.work(len(elements) / perStep) {
		return false
	}
	text, isText := x.Value.(ast.String)
	for _, element := range elements {
		switch element := element.(type) {
		case string:
			if isText && element == string(text) {
				return true
			}
		case authz.Object, []any:
		default:
			if isText {
				continue
			}
			value := m.asSent(element)
			if value == nil {
				return false
			}
			if native.Equal(value, x) {
				return true
			}
		}
	}
	return false
}
