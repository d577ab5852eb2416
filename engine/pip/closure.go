package pip

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/hierarchy"
)

// An ancestor is an entity at or above another, with the term of its ref.
type ancestor struct {
	hierarchy.Ancestor
	term *ast.Term
}

// ancestorBytes is an estimate of what one in a closure takes.
const ancestorBytes = 48

// closure is everything at or above the entity, nearest first. Below a single
// parent it follows from the parent's, which is remembered for all that stand
// below: see BenchmarkCold.
func (e *entity) closure(ctx context.Context) ([]ancestor, error) {
	if e.above != nil {
		return e.above, nil
	}
	if known := e.derived.closure.Load(); known != nil {
		return *known, nil
	}
	parent, err := e.onlyParent(ctx)
	if err != nil {
		return nil, err
	}
	if parent != nil {
		inherited, err := e.reader.closureOf(ctx, parent)
		if err == nil && len(inherited) < hierarchy.MaxAncestors {
			e.above = e.below(inherited)
			return e.above, nil
		}
	}
	// There are several ways up, or an error that is to name this entity.
	e.above, err = e.reader.closureOf(ctx, e.entry)
	return e.above, err
}

// below is the closure of what stands below a single parent, by the parent's.
func (e *entity) below(inherited []ancestor) []ancestor {
	closure := make([]ancestor, 1, 1+len(inherited))
	closure[0] = ancestor{hierarchy.Ancestor{Ref: e.entry.key.ref()}, e.entry.ref}
	for _, a := range inherited {
		if a.Ref == closure[0].Ref {
			continue
		}
		a.Distance++
		closure = append(closure, a)
	}
	return closure
}

// onlyParent is the entry of the one that everything above the entity is at or
// above of, or nil where the entity has several parents. What has no parents
// stands below the root.
func (e *entity) onlyParent(ctx context.Context) (*entry, error) {
	if e.parent != nil || len(e.entry.parents) > 1 {
		return e.parent, nil
	}
	parent := authz.Root(e.entry.key.tenant)
	if len(e.entry.parents) == 1 {
		parent = e.entry.parents[0]
	}
	var err error
	e.parent, err = e.reader.entry(ctx, parent)
	return e.parent, err
}

// closureOf is everything at or above an entry, nearest first, and remembered.
func (r *Reader) closureOf(ctx context.Context, at *entry) ([]ancestor, error) {
	d := at.derivedFor(r.epoch)
	if known := d.closure.Load(); known != nil {
		return *known, nil
	}
	terms := make(map[authz.EntityRef]*ast.Term)
	found, err := hierarchy.Closure(at.key.ref(), authz.Root(r.tenant), func(ref authz.EntityRef) ([]authz.EntityRef, error) {
		if ref == at.key.ref() {
			return at.parents, nil
		}
		above, err := r.entry(ctx, ref)
		if err != nil {
			return nil, err
		}
		terms[ref] = above.ref
		return above.parents, nil
	})
	if err != nil {
		return nil, err
	}
	closure := make([]ancestor, len(found))
	for i, a := range found {
		term := terms[a.Ref]
		switch {
		case i == 0:
			term = at.ref
		case term == nil: // the root, whose parents nobody asks for
			term = ast.StringTerm(a.Ref.String())
		}
		closure[i] = ancestor{a, term}
	}
	if d.closure.CompareAndSwap(nil, &closure) {
		d.bytes.Add(int64(ancestorBytes * len(closure)))
		r.keep(at)
	}
	return closure, nil
}

// each visits the entries of a closure that is an entry's, in order.
func (r *Reader) each(ctx context.Context, at *entry, closure []ancestor, visit func(*entry, ancestor) error) error {
	for i, ancestor := range closure {
		if i > 0 {
			var err error
			if at, err = r.entry(ctx, ancestor.Ref); err != nil {
				return err
			}
		}
		if err := visit(at, ancestor); err != nil {
			return err
		}
		r.keep(at)
	}
	return nil
}

// deriveAncestors builds ancestors, which maps each ref to itself.
func (e *entity) deriveAncestors(ctx context.Context) (*ast.Term, int, error) {
	return e.deriveByAncestor(ctx, func(a ancestor) *ast.Term { return a.term })
}

// deriveDistances builds distances.
func (e *entity) deriveDistances(ctx context.Context) (*ast.Term, int, error) {
	return e.deriveByAncestor(ctx, func(a ancestor) *ast.Term { return ast.InternedTerm(a.Distance) })
}

// deriveByAncestor builds an object with a member for each ancestor.
func (e *entity) deriveByAncestor(ctx context.Context, value func(ancestor) *ast.Term) (*ast.Term, int, error) {
	closure, err := e.closure(ctx)
	if err != nil {
		return nil, 0, err
	}
	var few [fewMembers][2]*ast.Term
	members := few[:0]
	for _, a := range closure {
		members = append(members, [2]*ast.Term{a.term, value(a)})
	}
	return ast.ObjectTerm(members...), objectBytes(len(members)), nil
}
