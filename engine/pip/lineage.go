package pip

import (
	"context"
	"sort"
	"weak"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/hierarchy"
)

// A lineage is everything at or above an entity: what is above it, and itself
// where that is its only parent's closure. So what stands below one parent
// shares the parent's closure and has none of its own: see BenchmarkCold.
type lineage struct {
	above *closure
	own   *ast.Term // the entity's ref; nil where it is in above
}

// lineage is everything at or above the entity.
func (e *entity) lineage(ctx context.Context) (lineage, error) {
	up, err := e.upward(ctx)
	if err != nil {
		return lineage{}, err
	}
	l := lineage{above: up.closure.Load()}
	if up.entry != e.entry {
		l.own = e.entry.ref
	}
	return l, nil
}

// upward is what is derived for the one whose closure has everything above the
// entity in it: its only parent, or itself.
func (e *entity) upward(ctx context.Context) (*derived, error) {
	if e.up != nil {
		return e.up, nil
	}
	up, err := e.findUpward(ctx)
	if err != nil {
		return nil, err
	}
	e.up = up
	return up, nil
}

func (e *entity) findUpward(ctx context.Context) (*derived, error) {
	if d := e.present(); d != nil && d.closure.Load() != nil {
		return d, nil
	}
	if len(e.entry.parents) <= 1 {
		if up := e.entry.linked(e.reader.epoch); up != nil {
			return up, nil
		}
		parent := authz.Root(e.reader.tenant)
		if len(e.entry.parents) == 1 {
			parent = e.entry.parents[0]
		}
		at, err := e.reader.entry(ctx, parent)
		if err != nil {
			return nil, err
		}
		up := at.derivedAt(e.reader.epoch)
		if above, err := e.reader.closureOf(ctx, up); err == nil && len(above.rows) < hierarchy.MaxAncestors {
			e.entry.link(up)
			return up, nil
		}
	}
	// There are several ways up, or an error that is to name this entity.
	own := e.derived()
	_, err := e.reader.closureOf(ctx, own)
	return own, err
}

// An upLink leads from an entry to what is derived for its only parent. It is
// weak, for it is not counted: the parent's place in the cache decides how long
// that lives. Following it costs a tenth of looking the parent up: see
// BenchmarkLookup.
type upLink struct {
	epoch  uint64
	parent weak.Pointer[derived]
}

// linked is what the entry leads to at an epoch, or nil.
func (e *entry) linked(epoch uint64) *derived {
	if known := e.up.Load(); known != nil && known.epoch == epoch {
		return known.parent.Value()
	}
	return nil
}

func (e *entry) link(up *derived) {
	if up.epoch == 0 {
		return
	}
	present := e.up.Load()
	if present != nil && present.epoch > up.epoch {
		return
	}
	if e.up.CompareAndSwap(present, &upLink{up.epoch, weak.Make(up)}) && present == nil {
		e.add(linkBytes)
	}
}

// linkBytes is an estimate of the bytes of a link.
const linkBytes = 16

// find is the ref of an ancestor as a term, and how far away it is; nil for
// what is none.
func (l lineage) find(text string) (*ast.Term, int) {
	if l.own != nil && textOf(l.own) == text {
		return l.own, 0
	}
	if i := l.above.find(text); i >= 0 {
		return l.at(i)
	}
	return nil, 0
}

// at is an ancestor in above.
func (l lineage) at(i int) (*ast.Term, int) {
	a := &l.above.rows[i]
	if l.own != nil {
		return a.term, int(a.distance) + 1
	}
	return a.term, int(a.distance)
}

// len is how many ancestors there are, the entity included.
func (l lineage) len() int {
	if l.own != nil {
		return len(l.above.rows) + 1
	}
	return len(l.above.rows)
}

// each visits the ancestors in the order of their refs, until visit returns
// false.
func (l lineage) each(visit func(ref *ast.Term, distance int) bool) {
	own := -1
	if l.own != nil {
		own = sort.SearchStrings(l.above.texts, textOf(l.own))
	}
	for i := range l.above.rows {
		if i == own && !visit(l.own, 0) || !visit(l.at(i)) {
			return
		}
	}
	if own == len(l.above.rows) {
		visit(l.own, 0)
	}
}

// object is an object with a member for each ancestor.
func (l lineage) object(value func(ref *ast.Term, distance int) *ast.Term) *ast.Term {
	var few [fewMembers][2]*ast.Term
	members := few[:0]
	l.each(func(ref *ast.Term, distance int) bool {
		members = append(members, [2]*ast.Term{ref, value(ref, distance)})
		return true
	})
	return ast.ObjectTerm(members...)
}
