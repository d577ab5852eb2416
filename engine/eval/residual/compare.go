package residual

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// isDefined is when a value is there.
func (b *body) isDefined(v value) Formula {
	switch v.kind {
	case opaque:
		return b.unrecognised("%s", v.why)
	case member:
		switch {
		case v.constant != nil || len(v.path) == 0:
			return always
		case v.member == eval.Attributes:
			return b.test(Defined, v.path)
		case v.member == eval.Ancestors:
			return b.ancestor(v.path[0])
		case v.member == eval.GrantsByScope:
			return b.test(GrantOn, nil, v.path[0])
		}
		return b.unrecognised("%s", v)
	case truthValue, text:
		return v.defined
	case rule:
		if b.isSet(v.rule) {
			return always
		}
		return b.unrecognised("whether %s is defined", v)
	case drawn:
		return b.hasMembers(v.rule)
	}
	return always
}

// isTrue is when a value is there and is not false.
func (b *body) isTrue(v value) Formula {
	switch v.kind {
	case constant:
		return truth(!v.constant.Equal(ast.BooleanTerm(false)))
	case member:
		if v.member == eval.Attributes && len(v.path) > 0 {
			isFalse := b.test(In, v.path, false)
			if v.constant == nil || v.constant.Equal(ast.BooleanTerm(false)) {
				return and(b.test(Defined, v.path), not(isFalse))
			}
			return not(isFalse)
		}
	case truthValue:
		return v.holds
	case rule:
		if !b.isSet(v.rule) {
			return b.ruleHolds(v.rule, nil)
		}
	case element:
		if v.of.kind == member && v.of.member == eval.Attributes {
			b.asked(v)
			return b.unrecognised("whether %s is true", v)
		}
	}
	return b.isDefined(v)
}

// asked notes a test of an element.
func (b *body) asked(v value) { b.elements[v.element-1].tests++ }

// hasElements is when a collection has any.
func (b *body) hasElements(of value) Formula {
	switch {
	case of.kind == filtered:
		return b.ancestorStartsWith(of.prefix)
	case of.kind == member && of.member == eval.Ancestors:
		return always // the entity itself
	}
	return b.unrecognised("whether there is an element of %s", of)
}

// ancestor is when a ref is the entity or above it.
func (b *body) ancestor(ref string) Formula {
	if ref == b.root {
		return always
	}
	return b.test(Ancestor, nil, ref)
}

// ancestorStartsWith is when the ref of the entity or of one above it starts so.
func (b *body) ancestorStartsWith(prefix string) Formula {
	if strings.HasPrefix(b.root, prefix) || strings.HasPrefix(b.typ+":", prefix) {
		return always
	}
	return b.test(AncestorStartsWith, nil, prefix)
}

// mirrored are the comparisons with their sides exchanged.
var mirrored = map[Op]Op{In: In, NotEqual: NotEqual, Less: Greater, Greater: Less, LessOrEqual: GreaterOrEqual, GreaterOrEqual: LessOrEqual}

// comparisons are OPA's names of those.
var comparisons = map[string]Op{
	ast.Equal.Name: In, ast.NotEqual.Name: NotEqual,
	ast.LessThan.Name: Less, ast.LessThanEq.Name: LessOrEqual,
	ast.GreaterThan.Name: Greater, ast.GreaterThanEq.Name: GreaterOrEqual,
}

func compares(op Op, order int) bool {
	switch op {
	case In:
		return order == 0
	case NotEqual:
		return order != 0
	case Less:
		return order < 0
	case LessOrEqual:
		return order <= 0
	case Greater:
		return order > 0
	}
	return order >= 0
}

// compare is when two values are there and compare so.
func (b *body) compare(op Op, left, right value) Formula {
	switch {
	case left.kind == constant && right.kind == constant:
		return truth(compares(op, left.constant.Value.Compare(right.constant.Value)))
	case right.kind != constant && left.kind == constant:
		return b.compare(mirrored[op], right, left)
	case right.kind != constant:
		return b.compareBoth(op, left, right)
	}
	scalar, isScalar := scalarOf(right.constant)
	text, isText := scalar.(string)
	if op == NotEqual && (left.kind == id || left.kind == ref) {
		return not(b.compare(In, left, right))
	}
	switch left.kind {
	case id:
		switch {
		case op != In:
		case isText:
			return b.test(IDIn, nil, text)
		default:
			return never
		}
	case ref:
		if op == In {
			rest, fits := strings.CutPrefix(text, b.typ+":")
			if !fits || rest == "" {
				return never
			}
			return b.test(IDIn, nil, rest)
		}
	case member:
		if f, known := b.compareMember(op, left, right.constant); known {
			return f
		}
	case element:
		b.asked(left)
		if op == In && isScalar {
			return b.has(*left.of, scalar)
		}
	case counted:
		if f, known := b.compareCount(op, *left.of, right.constant); known {
			return f
		}
	case truthValue:
		holds, isBoolean := scalar.(bool)
		switch {
		case op != In:
		case !isBoolean:
			return never
		case holds:
			return left.holds
		default:
			return and(left.defined, not(left.holds))
		}
	case rule:
		if op == In && scalar == true {
			return b.ruleHolds(left.rule, nil)
		}
	case drawn:
		return and(b.hasMembers(left.rule), b.unrecognised("%s %s %s", left, op.ofOne(), right))
	}
	return b.unrecognised("%s %s %s", left, op.ofOne(), right)
}

// compareBoth is when two values of the entity are there and compare so.
func (b *body) compareBoth(op Op, left, right value) Formula {
	ofEntity := left.kind == right.kind && (left.kind == id || left.kind == ref || left.kind == found || left.kind == entity || left.kind == member && left.member == right.member)
	switch {
	case !ofEntity || left.constant != nil || right.constant != nil:
	case slices.Equal(left.path, right.path): // one and the same
		return and(b.isDefined(left), truth(compares(op, 0)))
	case left.member == eval.Attributes && len(left.path) > 0 && len(right.path) > 0:
		return holds(Condition{Op: Both, Path: left.path, How: op, Other: right.path, Reason: Reason{Place: b.place}})
	}
	return b.unrecognised("%s %s %s", left, op.ofOne(), right)
}

// compareMember is when what is at a path of the entity compares so with a
// constant.
func (b *body) compareMember(op Op, left value, right *ast.Term) (f Formula, known bool) {
	scalar, isScalar := scalarOf(right)
	switch {
	case left.member == eval.Attributes && len(left.path) > 0 && isScalar:
		f = b.test(op, left.path, scalar)
		if left.constant == nil {
			return f, true
		}
		if compares(op, left.constant.Value.Compare(right.Value)) {
			return or(not(b.test(Defined, left.path)), f), true
		}
		return f, true
	case left.member == eval.Ancestors && len(left.path) == 1 && op == In:
		if scalar != left.path[0] {
			return never, true
		}
		return b.ancestor(left.path[0]), true
	}
	return never, false
}

// compareCount is when there are so many, as far as that is whether there are any.
func (b *body) compareCount(op Op, of value, number *ast.Term) (f Formula, known bool) {
	zero, one := ast.InternedTerm(0).Value, ast.InternedTerm(1).Value
	none, some := compares(op, zero.Compare(number.Value)), compares(op, one.Compare(number.Value))
	// A number of one or less tells none from some, and no numbers from each other.
	if number.Value.Compare(one) > 0 || number.Value.Compare(zero) < 0 || none == some ||
		number.Value.Compare(one) == 0 && (op == In || op == NotEqual || op == Greater || op == LessOrEqual) {
		return never, false
	}
	switch {
	case of.kind == filtered:
		f = b.ancestorStartsWith(of.prefix)
	case of.kind == rule && b.isSet(of.rule):
		f = b.hasMembers(of.rule)
	default:
		return never, false
	}
	if none {
		f = not(f)
	}
	return f, true
}

// has is when one of the scalars is an element of a collection.
func (b *body) has(of value, scalars ...any) Formula {
	if of.kind == member && of.member == eval.Attributes && len(of.path) > 0 && of.constant == nil {
		return b.test(Has, of.path, scalars...)
	}
	var any []Formula
	for _, scalar := range scalars {
		text, isText := scalar.(string)
		switch {
		case !isText && of.kind == filtered, !isText && of.kind == member && (of.member == eval.Ancestors || of.member == eval.Parents):
		case of.kind == filtered && strings.HasPrefix(text, of.prefix):
			any = append(any, b.ancestor(text))
		case of.kind == filtered:
		case of.kind == member && of.member == eval.Ancestors && len(of.path) == 0:
			any = append(any, b.ancestor(text))
		case of.kind == member && of.member == eval.Parents && len(of.path) == 0:
			any = append(any, b.test(Parent, nil, text))
		default:
			any = append(any, b.unrecognised("%v in %s", scalar, of))
		}
	}
	return or(any...)
}
