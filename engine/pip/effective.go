package pip

import (
	"context"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// effective are the grants of an entity and of everything above it. Whoever
// adds none to what is inherited has the same ones, not equal ones.
type effective struct {
	list    []grant   // by id
	array   *ast.Term // grants
	byScope *ast.Term // grants_by_scope
}

// effective are the entity's own grants and those of everything above it.
// Below a single parent they follow from the parent's: see BenchmarkCold.
func (e *entity) effective(ctx context.Context) (*effective, error) {
	if e.granted == nil {
		var err error
		if e.granted, err = e.findEffective(ctx); err != nil {
			return nil, err
		}
	}
	return e.granted, nil
}

func (e *entity) findEffective(ctx context.Context) (*effective, error) {
	if known := e.derived.grants.Load(); known != nil {
		return known, nil
	}
	// The closure first: it knows the limit.
	if _, err := e.closure(ctx); err != nil {
		return nil, err
	}
	parent, err := e.onlyParent(ctx)
	if err != nil {
		return nil, err
	}
	if parent == nil {
		return e.reader.effectiveOf(ctx, e.entry)
	}
	own, err := e.reader.cache.grantsOf(e.entry, e.reader.snapshot)
	if err != nil {
		return nil, err
	}
	inherited, err := e.reader.effectiveOf(ctx, parent)
	if err != nil || len(own) == 0 {
		return inherited, err
	}
	return e.derived.remember(newEffective(slices.Concat(own, inherited.list))), nil
}

// effectiveOf are the grants of an entry and of everything above it,
// remembered.
func (r *Reader) effectiveOf(ctx context.Context, at *entry) (*effective, error) {
	d := at.derivedFor(r.epoch)
	if known := d.grants.Load(); known != nil {
		return known, nil
	}
	closure, err := r.closureOf(ctx, at)
	if err != nil {
		return nil, err
	}
	var all []grant
	err = r.each(ctx, at, closure, func(above *entry, _ ancestor) error {
		own, err := r.cache.grantsOf(above, r.snapshot)
		all = append(all, own...)
		return err
	})
	if err != nil {
		return nil, err
	}
	e := d.remember(newEffective(all))
	r.keep(at)
	return e, nil
}

// remember keeps the grants.
func (d *derived) remember(e *effective) *effective {
	if !d.grants.CompareAndSwap(nil, e) {
		return d.grants.Load()
	}
	scopes := e.byScope.Value.(ast.Object).Len()
	d.bytes.Add(int64(arrayBytes(len(e.list)) + objectBytes(scopes) + arrayBytes(0)*scopes + (32+16)*len(e.list)))
	return e
}

// newEffective sorts grants and builds what policies see of them.
func newEffective(all []grant) *effective {
	slices.SortFunc(all, func(a, b grant) int { return strings.Compare(a.id, b.id) })
	terms := make([]*ast.Term, len(all))
	var scopes []*ast.Term
	byScope := make(map[string][]*ast.Term)
	for i, g := range all {
		terms[i] = g.value
		scope := string(g.scope.Value.(ast.String))
		if byScope[scope] == nil {
			scopes = append(scopes, g.scope)
		}
		byScope[scope] = append(byScope[scope], g.value)
	}
	members := make([][2]*ast.Term, len(scopes))
	for i, scope := range scopes {
		members[i] = [2]*ast.Term{scope, ast.ArrayTerm(byScope[string(scope.Value.(ast.String))]...)}
	}
	return &effective{list: all, array: ast.ArrayTerm(terms...), byScope: ast.ObjectTerm(members...)}
}

// deriveGrants is grants, which whoever remembers them counts.
func (e *entity) deriveGrants(ctx context.Context) (*ast.Term, int, error) {
	grants, err := e.effective(ctx)
	if err != nil {
		return nil, 0, err
	}
	return grants.array, 0, nil
}

// deriveGrantsByScope is grants_by_scope, which whoever remembers them counts.
func (e *entity) deriveGrantsByScope(ctx context.Context) (*ast.Term, int, error) {
	grants, err := e.effective(ctx)
	if err != nil {
		return nil, 0, err
	}
	return grants.byScope, 0, nil
}
