package pip

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// An entity is an entry, read at a reader's revision. It implements
// eval.Entity.
type entity struct {
	reader *Reader
	entry  *entry
	own    *derived // of the entry at the reader's epoch; nil until needed
	up     *derived // see upward; nil until needed
	noted  bool     // the reader knows of its long arrays
}

// Ref is type:id.
func (e *entity) Ref() string { return textOf(e.entry.ref) }

// Member is a member, nil for the permissions of what is no role.
func (e *entity) Member(ctx context.Context, m eval.Member) (*ast.Term, error) {
	term, err := e.member(ctx, m)
	return e.kept(term), err
}

// Value is the entity with all its members.
func (e *entity) Value(ctx context.Context) (*ast.Term, error) {
	d := e.derived()
	if whole := d.whole.Load(); whole != nil {
		return e.kept(whole), nil
	}
	members := make([][2]*ast.Term, 0, memberCount)
	for m := range memberCount {
		term, err := e.member(ctx, m)
		if err != nil {
			return nil, err
		}
		if term != nil {
			members = append(members, [2]*ast.Term{memberNames[m], term})
		}
	}
	return e.kept(d.remember(&d.whole, ast.ObjectTerm(members...), objectBytes(int(memberCount)))), nil
}

const memberCount = eval.Permissions + 1

// memberNames are the members' names as terms.
var memberNames = func() (names [memberCount]*ast.Term) {
	for m := range memberCount {
		names[m] = ast.StringTerm(m.String())
	}
	return names
}()

// derived is where what is derived for the entity is kept.
func (e *entity) derived() *derived {
	if e.own == nil {
		e.own = e.entry.derivedAt(e.reader.epoch)
	}
	return e.own
}

// present is where what is derived for the entity is kept, or nil where nothing
// has been.
func (e *entity) present() *derived {
	if e.own == nil {
		if d := e.entry.derived.Load(); d != nil && d.epoch == e.reader.epoch {
			e.own = d
		}
	}
	return e.own
}

// kept lets the cache have what was read on the way to a term.
func (e *entity) kept(term *ast.Term) *ast.Term {
	e.reader.keep(e.entry)
	e.noteLong()
	return term
}

// noteLong lets the reader know of the entity if it has arrays worth an index.
func (e *entity) noteLong() {
	if e.noted {
		return
	}
	if a := e.entry.attributes.Load(); a != nil && a.long.Load() != nil {
		e.reader.long = append(e.reader.long, e.entry)
		e.noted = true
	}
}

// member is a member, nil for the permissions of what is no role.
func (e *entity) member(ctx context.Context, m eval.Member) (*ast.Term, error) {
	switch m {
	case eval.Type:
		return e.reader.cache.identityOf(e.entry).typ, nil
	case eval.ID:
		return e.reader.cache.identityOf(e.entry).id, nil
	case eval.Ref:
		return e.entry.ref, nil
	case eval.Attributes:
		return e.reader.cache.attributesObject(e.entry)
	case eval.Parents:
		return e.entry.parentsTerm(), nil
	case eval.Ancestors:
		return e.ancestors(ctx)
	case eval.Distances:
		return e.distances(ctx)
	case eval.Grants, eval.GrantsByScope:
		grants, err := e.effective(ctx)
		switch {
		case err != nil:
			return nil, err
		case m == eval.Grants:
			return e.grantsArray(grants), nil
		default:
			return e.byScopeObject(grants), nil
		}
	case eval.Permissions:
		permissions, err := e.permissions(ctx)
		if permissions == nil || err != nil {
			return nil, err
		}
		return e.derived().permissionsObject(permissions), nil
	}
	return nil, nil
}

// ancestors is an object that maps each ref to itself.
func (e *entity) ancestors(ctx context.Context) (*ast.Term, error) {
	d := e.derived()
	if known := d.ancestors.Load(); known != nil {
		return known, nil
	}
	lineage, err := e.lineage(ctx)
	if err != nil {
		return nil, err
	}
	object := lineage.object(func(ref *ast.Term, _ int) *ast.Term { return ref })
	return d.remember(&d.ancestors, object, objectBytes(lineage.len())), nil
}

// distances is an object that maps each ref to how far away it is.
func (e *entity) distances(ctx context.Context) (*ast.Term, error) {
	d := e.derived()
	if known := d.distances.Load(); known != nil {
		return known, nil
	}
	lineage, err := e.lineage(ctx)
	if err != nil {
		return nil, err
	}
	object := lineage.object(func(_ *ast.Term, distance int) *ast.Term { return ast.InternedTerm(distance) })
	return d.remember(&d.distances, object, objectBytes(lineage.len())), nil
}
