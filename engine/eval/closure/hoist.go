package closure

import (
	"maps"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/rego"
)

// hoist moves what OPA's index looks at before all else in a body: equality and
// membership of a path of the input or of a parameter with what is constant,
// and that a path of the input is defined. A rule that does not apply is so left
// before anything is read, called or gone through for it. Out of a scan that ends
// the body it moves what does not depend on the member.
//
// It moves no more than that, for it decides which of a rule's errors are met: a
// rule that the index passes over errs nowhere, and any other in what comes
// first in it. Into what a parameter holds, the index does not look: that is
// moved as well, but over nothing that may err.
//
// What a key is compared with has its place, see demand.
func hoist(b *block, fixed map[local]bool, keys []local) {
	fixed = maps.Clone(fixed)
	for _, key := range keys {
		delete(fixed, key)
	}
	h := &hoister{used: usageOf(b), fixed: fixed, known: make(map[local]bool), inside: make(map[local]bool), apart: make(map[local]bool)}
	everyStatement(b, func(s statement) {
		if taken, isTaken := s.(*isKind); isTaken {
			if r, isRead := taken.of.(read); isRead {
				h.apart[r.from] = true
			}
		}
	})
	h.from(b)
	b.statements = append(h.early, b.statements...)
}

type hoister struct {
	used   usage
	fixed  map[local]bool
	known  map[local]bool // set by what has been moved
	inside map[local]bool // those of them that were read out of a parameter
	apart  map[local]bool // taken apart by a pattern, {"a": x} = input.y, into which the index does not look
	loud   bool           // whether something that stays and comes before may err
	early  []statement
}

// from takes what can be moved out of a block.
func (h *hoister) from(b *block) {
	kept := b.statements[:0:0]
	for i, s := range b.statements {
		if h.movable(s) {
			h.early = append(h.early, s)
			continue
		}
		if inner, isScan := s.(*scan); isScan && i == len(b.statements)-1 {
			h.loud = h.loud || mayErr(inner.of)
			h.from(inner.body)
		}
		h.loud = h.loud || mayErrIn(s)
		kept = append(kept, s)
	}
	b.statements = kept
}

func (h *hoister) movable(s statement) bool {
	switch s := s.(type) {
	case *assign:
		if h.fixed[s.to] || h.used.set[s.to] != 1 || h.used.asked[s.to] || !h.isPath(s.value) {
			return false
		}
		h.known[s.to] = true
		h.inside[s.to] = h.isInside(s.value)
		return true
	case *equal:
		return (isConstant(s.a) && h.isPath(s.b) || h.isPath(s.a) && isConstant(s.b)) && isIndexed(s.at)
	case *differ:
		member, isCall := s.a.(callBuiltin)
		return isCall && isFalse(s.b) && member.name == memberBuiltin && h.isPath(member.args[0]) && isCollection(member.args[1]) && isIndexed(s.at)
	default:
		return false
	}
}

// isIndexed reports whether the index looks at what stands at a place. It does
// not where a with puts something in the place of functions, nor into an array or
// an object on both sides, [input.x, y] == ["a", z], of which the plan makes
// several equalities.
func isIndexed(at *ast.Location) bool {
	inPattern := at != nil && len(at.Text) > 0 && (at.Text[0] == '[' || at.Text[0] == '{')
	return !inPattern && !rego.MocksFunction(at)
}

// isPath reports whether an expression is a path of constants in the input, in a
// parameter or in what has been moved.
func (h *hoister) isPath(e expression) bool {
	switch e := e.(type) {
	case read:
		return h.known[e.from] && !(h.loud && h.inside[e.from]) || h.fixed[e.from] && h.used.set[e.from] == 0
	case inputDocument:
		return true
	case dot:
		if r, isRead := e.of.(read); isRead && h.loud && h.apart[r.from] {
			return false
		}
		return h.isPath(e.of) && isConstant(e.key) && !(h.loud && h.isInside(e)) && !rego.MocksFunction(e.at)
	default:
		return false
	}
}

// isInside reports whether a path leads into what a parameter holds.
func (h *hoister) isInside(path expression) bool {
	switch e := path.(type) {
	case read:
		return h.inside[e.from]
	case dot:
		r, isRead := e.of.(read)
		return isRead && h.fixed[r.from] || h.isInside(e.of)
	default:
		return false
	}
}

// memberBuiltin is what x in xs is compiled to.
const memberBuiltin = "internal.member_2"

// isCollection reports whether an expression is a constant collection.
func isCollection(e expression) bool {
	c, isConstant := e.(constant)
	if !isConstant {
		return false
	}
	_, is := kindOf(c.term)
	return is
}
