package pip

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// Lookup is what stands at a key in a member. It makes neither the member nor
// what else is in it: see BenchmarkLookup.
func (e *entity) Lookup(ctx context.Context, m eval.Member, key *ast.Term) (*ast.Term, error) {
	var term *ast.Term
	var err error
	switch key := key.Value.(type) {
	case ast.String:
		term, err = e.named(ctx, m, string(key))
	case ast.Number:
		if i, isInt := key.Int(); isInt && i >= 0 {
			term, err = e.element(ctx, m, i)
		}
	}
	return e.kept(term), err
}

// named is what stands at a text in a member that is an object, or nil.
func (e *entity) named(ctx context.Context, m eval.Member, text string) (*ast.Term, error) {
	switch m {
	case eval.Attributes:
		return e.reader.cache.attribute(e.entry, text)
	case eval.Ancestors, eval.Distances:
		lineage, err := e.lineage(ctx)
		if err != nil {
			return nil, err
		}
		ref, distance := lineage.find(text)
		if ref != nil && m == eval.Distances {
			return ast.InternedTerm(distance), nil
		}
		return ref, nil
	case eval.GrantsByScope:
		return e.grantsAt(ctx, text)
	case eval.Permissions:
		permissions, err := e.permissions(ctx)
		if permissions == nil || err != nil {
			return nil, err
		}
		if i := permissions.find(text); i >= 0 {
			return permissions.rows[i].role, nil
		}
	}
	return nil, nil
}

// element is what stands at an index in a member that is an array, or nil.
func (e *entity) element(ctx context.Context, m eval.Member, i int) (*ast.Term, error) {
	switch m {
	case eval.Parents:
		if i < len(e.entry.parents) {
			return e.entry.parentsTerm().Value.(*ast.Array).Elem(i), nil
		}
	case eval.Grants:
		grants, err := e.effective(ctx)
		if err != nil {
			return nil, err
		}
		if i < len(grants.list) {
			return e.objectOf(grants.list[i]), nil
		}
	}
	return nil, nil
}
