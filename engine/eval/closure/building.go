package closure

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// A building is a collection that the policy is still adding to. Like a lazy
// value it is settled before anybody else sees it.
type building struct {
	term     ast.Term
	kind     kind
	elements []*ast.Term // of an array or a set
	object   members
	settled  *ast.Term
	inOrder  bool         // the elements of a set are
	few      [4]*ast.Term // the first elements
	given    bool         // the elements are those of a settled array, too
	// to is what a set has besides, which is found as far as it is asked for; nil
	// once all of it is among the elements, and for most sets.
	to reach
}

// A reach is a set that is found by and by.
type reach interface {
	// contains reports whether a value is in the set, false where the evaluation
	// has ended.
	contains(x *ast.Term) bool
	// all are the members, in no order. They may be appended to.
	all() []*ast.Term
}

// building is a collection for the time of the evaluation: most make some, and to make
// one takes longer than to fill it.
func (m *machine) building(of kind) *building {
	b := m.buildings.take()
	b.kind = of
	b.term.Value = b
	if b.elements == nil {
		b.elements = b.few[:0]
	}
	return b
}

// forget lets go of all that was put into the collection.
func (b *building) forget() {
	elements, list := b.elements, b.object.list
	clear(list)
	switch {
	case b.given, cap(elements) == len(b.few), cap(elements) > maxKept:
		elements = nil
	default:
		clear(elements)
	}
	if cap(list) > maxKept {
		list = nil
	}
	*b = building{elements: elements[:0], object: members{list: list[:0]}}
}

// empty are collections that nobody has added to. They are shared: a collection
// is not made before there is something to add.
var empty = [...]*ast.Term{
	arrayKind:  emptyBuilding(arrayKind, ast.InternedEmptyArray),
	objectKind: emptyBuilding(objectKind, ast.InternedEmptyObject),
	setKind:    emptyBuilding(setKind, ast.InternedEmptySet),
}

func emptyBuilding(of kind, settled *ast.Term) *ast.Term {
	b := &building{kind: of, settled: settled, inOrder: true} // nobody has to write to it
	b.term.Value = b
	return &b.term
}

// open is the collection in the making that a local holds, made where the local
// holds the empty one; nil where it holds another value.
func (m *machine) open(slot **ast.Term, of kind) *building {
	if *slot == empty[of] {
		b := m.building(of)
		*slot = &b.term
		return b
	}
	b, isBuilding := (*slot).Value.(*building)
	if !isBuilding || b.kind != of {
		return nil
	}
	b.settled, b.inOrder = nil, false
	return b
}

// sorted are the members of a set in OPA's order. They must not be changed.
func (b *building) sorted() []*ast.Term {
	b.find()
	if !b.inOrder {
		slices.SortFunc(b.elements, native.Compare)
		b.inOrder = true
	}
	return b.elements
}

// find makes elements of all members.
func (b *building) find() {
	if b.to != nil {
		b.elements, b.to = b.to.all(), nil
	}
}

// all are the members of a set or an array. They must not be changed.
func (b *building) all() []*ast.Term {
	b.find()
	return b.elements
}

// len is how many members the collection has.
func (b *building) len() int {
	b.find()
	return len(b.elements) + len(b.object.list)
}

// contains reports whether a set has a member.
func (b *building) contains(member *ast.Term) bool {
	if b.to != nil {
		return b.to.contains(member)
	}
	if b.object.index == nil && len(b.elements) > fewMembers {
		b.number()
	}
	if b.object.index != nil {
		return b.object.index.Get(member) != nil
	}
	for _, present := range b.elements {
		if native.Equal(present, member) {
			return true
		}
	}
	return false
}

// add adds a member to a set.
func (b *building) add(member *ast.Term) {
	if b.contains(member) {
		return
	}
	if b.object.index == nil && len(b.elements) == fewMembers {
		b.number()
	}
	if b.object.index != nil {
		b.object.index.Insert(member, ast.InternedNullTerm)
	}
	b.elements = append(b.elements, member)
}

// number makes an index of the members of a set.
func (b *building) number() {
	b.object.index = ast.NewObject()
	for _, present := range b.elements {
		b.object.index.Insert(present, ast.InternedNullTerm)
	}
}

func (b *building) settle(m *machine) *ast.Term {
	if b.settled != nil {
		return b.settled
	}
	b.find()
	switch b.kind {
	case arrayKind:
		elements := b.elements
		if cap(elements) == len(b.few) {
			elements = slices.Clone(elements)
		} else {
			b.given = true
		}
		b.settled = ast.ArrayTerm(elements...)
	case setKind:
		b.settled = ast.SetTerm(b.elements...)
	default:
		settled := make([][2]*ast.Term, len(b.object.list))
		for i, member := range b.object.list {
			settled[i] = [2]*ast.Term{member[0], settle(m, member[1])}
		}
		b.settled = ast.ObjectTerm(settled...)
	}
	return b.settled
}

// opa is the value as OPA's.
func (b *building) opa() ast.Value { return b.settle(nil).Value }

// Compare orders values as OPA does.
func (b *building) Compare(other ast.Value) int { return b.opa().Compare(other) }

// Find is what stands at a path.
func (b *building) Find(path ast.Ref) (ast.Value, error) { return b.opa().Find(path) }

// Hash is that of the collection.
func (b *building) Hash() int { return b.opa().Hash() }

// IsGround is true: there are no variables in it.
func (b *building) IsGround() bool { return true }

// String is the collection in Rego.
func (b *building) String() string { return b.opa().String() }

// StringLength is the length of String.
func (b *building) StringLength() int { return len(b.String()) }
