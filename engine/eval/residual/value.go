package residual

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A value is what is known of a term.
type value struct {
	kind     kind
	constant *ast.Term   // of a constant; where an attribute is missing, of an attribute or its like
	member   eval.Member // of the entity
	path     []string    // in the member
	prefix   string      // of the refs that a filter lets through
	element  int         // which of the elements, from 1
	of       *value      // what is counted, or what an element is of
	rule     ast.Ref
	holds    Formula // when a truth is true
	defined  Formula // when a truth or a text is there
	why      string  // it is not known
}

type kind uint8

const (
	opaque     kind = iota // not known
	constant               // as it is
	id                     // of the entity
	ref                    // of the entity
	found                  // an array of the entity
	entity                 // itself
	member                 // of the entity, or what is at a path in it
	element                // of a member or of filtered refs
	filtered               // the refs of the ancestors that start with the prefix
	counted                // how many there are
	truthValue             // a boolean
	text                   // a string that is nothing else
	rule                   // a supporting rule
	indexValue             // at which an element was drawn
	drawn                  // a member of a supporting rule that is a set
)

func (b *body) unknownValue(why string, args ...any) value {
	return value{kind: opaque, why: fmt.Sprintf(why, args...)}
}

// value is what is known of a term.
func (b *body) value(term *ast.Term) value {
	switch v := term.Value.(type) {
	case ast.Var:
		if known, bound := b.scope[v]; bound {
			return known
		}
	case ast.Ref:
		return b.ref(v)
	case ast.Call:
		operator, isRef := v[0].Value.(ast.Ref)
		if isRef {
			return b.call(operator, v[1:])
		}
	case *ast.SetComprehension:
		return b.filter(v)
	default:
		if term.IsGround() && !ast.ContainsComprehensions(v) && !hasRefs(v) {
			return value{kind: constant, constant: term}
		}
	}
	return b.unknownValue("%v", short(term))
}

func hasRefs(v ast.Value) (found bool) {
	ast.WalkRefs(v, func(ast.Ref) bool {
		found = true
		return true
	})
	return found
}

func (b *body) ref(r ast.Ref) value {
	if r.Equal(b.unknown) {
		return value{kind: id}
	}
	var at value
	rest := r[1:]
	switch {
	case r[0].Equal(ast.DefaultRootDocument):
		name := r.ConstantPrefix()
		for len(name) > 1 && b.support[name.String()] == nil {
			name = name[:len(name)-1]
		}
		if len(name) == 1 {
			return b.unknownValue("%v", short(r))
		}
		at, rest = value{kind: rule, rule: name}, r[len(name):]
	case r[0].Equal(ast.InputRootDocument):
		return b.ofRequest(r)
	default:
		at = b.value(r[0])
	}
	for _, index := range rest {
		at = b.step(at, index)
	}
	return at
}

// ofRequest is what the request says, but for the id.
func (b *body) ofRequest(r ast.Ref) value {
	if !r.IsGround() || b.unknown.HasPrefix(r) || r.HasPrefix(b.unknown) {
		return b.unknownValue("%v, of which the id is not known", r)
	}
	said, err := b.input.Value.Find(r[1:])
	if err != nil {
		return value{kind: truthValue, holds: never, defined: never}
	}
	return value{kind: constant, constant: ast.NewTerm(said)}
}

// step is what stands at an index in a value.
func (b *body) step(at value, index *ast.Term) value {
	name, isVar := index.Value.(ast.Var)
	_, bound := b.scope[name]
	if isVar && (!bound || b.scope[name].kind == indexValue) {
		return b.any(at, name)
	}
	v := b.value(index)
	key, isText := textOf(v)
	switch {
	case v.kind != constant:
	case at.kind == constant:
		if inside, err := at.constant.Value.Find(ast.Ref{v.constant}); err == nil {
			return value{kind: constant, constant: ast.NewTerm(inside)}
		}
		return value{kind: truthValue, holds: never, defined: never}
	case at.kind == found && v.constant.Equal(ast.InternedTerm(0)):
		return value{kind: entity}
	case !isText:
	case at.kind == entity:
		return b.member(key)
	case at.kind == filtered && strings.HasPrefix(key, at.prefix):
		return value{kind: member, member: eval.Ancestors, path: []string{key}}
	case at.kind == filtered:
		return value{kind: truthValue, holds: never, defined: never}
	case at.kind == member && at.constant == nil:
		switch at.member {
		case eval.Attributes:
			return value{kind: member, member: at.member, path: append(slices.Clone(at.path), key)}
		case eval.Ancestors, eval.GrantsByScope:
			if len(at.path) == 0 {
				return value{kind: member, member: at.member, path: []string{key}}
			}
		}
	}
	return b.beyond(at, index)
}

// any is some element of a value.
func (b *body) any(at value, name ast.Var) value {
	for i, drawn := range b.elements {
		if drawn.index == name {
			if drawn.of.String() == at.String() {
				return value{kind: element, element: i + 1, of: &at}
			}
			return b.unknownValue("an element of %s and of %s at one index", drawn.of, at)
		}
	}
	if b.uses[name] > 1 {
		b.scope[name] = value{kind: indexValue, why: "an index"}
	}

	switch {
	case at.kind == rule && b.isSet(at.rule):
		return value{kind: drawn, rule: at.rule}
	case at.kind == filtered,
		at.kind == member && at.constant == nil && len(at.path) == 0 && (at.member == eval.Ancestors || at.member == eval.Parents),
		at.kind == member && at.constant == nil && len(at.path) > 0 && at.member == eval.Attributes:
		b.elements = append(b.elements, drawnElement{of: at, index: name})
		return value{kind: element, element: len(b.elements), of: &at}
	}
	return b.beyond(at, ast.VarTerm("_"))
}

// beyond is what stands in a value where nothing is known of it any more, but that
// there is such a value.
func (b *body) beyond(at value, index *ast.Term) value {
	if at.kind == opaque {
		return at
	}
	b.parts = append(b.parts, b.isDefined(at))
	return b.unknownValue("%s[%v]", at, short(index))
}

func (b *body) member(name string) value {
	m, known := eval.MemberNamed(name)
	switch {
	case !known, m == eval.Permissions && b.typ != "role":
		return value{kind: truthValue, holds: never, defined: never}
	case m == eval.Type:
		return value{kind: constant, constant: ast.StringTerm(b.typ)}
	case m == eval.ID:
		return value{kind: id}
	case m == eval.Ref:
		return value{kind: ref}
	}
	return value{kind: member, member: m}
}

// filter reads {ref | some ref in entity.ancestors; startswith(ref, prefix)}.
func (b *body) filter(c *ast.SetComprehension) value {
	name, isVar := c.Term.Value.(ast.Var)
	inner := &body{reader: b.reader, scope: maps.Clone(b.scope), uses: make(map[ast.Var]int), place: b.place}
	for outer, v := range inner.scope {
		if v.kind == element || v.kind == indexValue { // a test here is none of the element
			inner.scope[outer] = b.unknownValue("%s", v)
		}
	}
	for _, expr := range c.Body {
		inner.count(expr)
	}
	var tests ast.Body
	for _, expr := range inner.definitions(c.Body) {
		if operator := expr.Operator(); expr.Negated || !operator.Equal(rego.IsThere.Ref()) || !inner.ready(expr.Operand(0)) {
			tests = append(tests, expr)
		}
	}
	drawnFrom := inner.scope[name]
	if !isVar || drawnFrom.kind != element || drawnFrom.of.kind != member || drawnFrom.of.member != eval.Ancestors || and(inner.parts...).Op != Always || len(tests) != 1 {
		return b.unknownValue("%v", short(c))
	}
	if operator := tests[0].Operator(); tests[0].Negated || len(tests[0].With) > 0 || !operator.Equal(ast.StartsWith.Ref()) || len(tests[0].Operands()) != 2 {
		return b.unknownValue("%v", short(c))
	}
	prefix, isText := textOf(inner.value(tests[0].Operand(1)))
	if !isText || !tests[0].Operand(0).Equal(c.Term) {
		return b.unknownValue("%v", short(c))
	}
	return value{kind: filtered, prefix: prefix}
}

// textOf is a constant that is a string.
func textOf(v value) (string, bool) {
	if v.kind != constant {
		return "", false
	}
	s, isText := v.constant.Value.(ast.String)
	return string(s), isText
}

// scalarOf is a constant as a value of a condition.
func scalarOf(term *ast.Term) (any, bool) {
	switch v := term.Value.(type) {
	case ast.Null:
		return nil, true
	case ast.Boolean:
		return bool(v), true
	case ast.String:
		return string(v), true
	case ast.Number:
		return json.Number(v), true
	}
	return nil, false
}

// String is the value for people.
func (v value) String() string {
	switch v.kind {
	case constant:
		return short(v.constant)
	case id:
		return "its id"
	case ref:
		return "its ref"
	case found, entity:
		return "the entity"
	case member:
		return strings.Join(append([]string{v.member.String()}, v.path...), ".")
	case element:
		return "an element of " + v.of.String()
	case filtered:
		return fmt.Sprintf("its ancestors that start with %q", v.prefix)
	case counted:
		return "count of " + v.of.String()
	case rule, drawn:
		return v.rule.String()
	case opaque, indexValue:
		return v.why
	}
	return "a value"
}

// short is what is left of a policy, for people.
func short(x fmt.Stringer) string {
	text := x.String()
	if len(text) > 120 {
		text = strings.ToValidUTF8(text[:120], "") + "…"
	}
	return text
}

// unrecognised is a condition that may hold or not.
func (b *body) unrecognised(why string, args ...any) Formula {
	return holds(Condition{Op: Unrecognised, Reason: Reason{Place: b.place, Why: fmt.Sprintf(why, args...)}})
}

// test is a condition of the vocabulary.
func (b *body) test(op Op, path []string, values ...any) Formula {
	return holds(Condition{Op: op, Path: path, Values: values, Reason: Reason{Place: b.place}})
}
