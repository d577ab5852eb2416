package pip

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// Each visits the keys and values of a member. It makes the values as far as
// visit goes, and not the member.
func (e *entity) Each(ctx context.Context, m eval.Member, visit func(key, value *ast.Term) bool) error {
	defer e.kept(nil)
	switch m {
	case eval.Attributes:
		return e.eachAttribute(visit)
	case eval.Ancestors, eval.Distances:
		lineage, err := e.lineage(ctx)
		if err != nil {
			return err
		}
		lineage.each(func(ref *ast.Term, distance int) bool {
			if m == eval.Distances {
				return visit(ref, ast.InternedTerm(distance))
			}
			return visit(ref, ref)
		})
	case eval.Parents:
		for i := range e.entry.parents {
			if !visit(ast.InternedTerm(i), e.entry.parentsTerm().Value.(*ast.Array).Elem(i)) {
				break
			}
		}
	case eval.Grants:
		grants, err := e.effective(ctx)
		if err != nil {
			return err
		}
		for i, g := range grants.list {
			if !visit(ast.InternedTerm(i), e.objectOf(g)) {
				break
			}
		}
	case eval.GrantsByScope:
		return e.eachScope(ctx, visit)
	case eval.Permissions:
		permissions, err := e.permissions(ctx)
		if permissions == nil || err != nil {
			return err
		}
		for _, row := range permissions.rows {
			if !visit(row.term, row.role) {
				break
			}
		}
	}
	return nil
}

func (e *entity) eachAttribute(visit func(key, value *ast.Term) bool) error {
	a, err := e.reader.cache.attributesOf(e.entry)
	if err != nil {
		return err
	}
	for i, name := range a.shape.rows {
		value, err := e.reader.cache.attributeAt(e.entry, a, i)
		if err != nil {
			return err
		}
		e.noteLong() // which visit may ask about
		if !visit(name, value) {
			break
		}
	}
	return nil
}

func (e *entity) eachScope(ctx context.Context, visit func(key, value *ast.Term) bool) error {
	grants, err := e.effective(ctx)
	if err != nil {
		return err
	}
	scopes := e.scopesOf(grants)
	for i := range scopes.rows {
		at := &scopes.rows[i]
		if !visit(at.grants[0].scope, e.scopeArray(grants, at)) {
			break
		}
	}
	return nil
}
