package topdown

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
)

// Documents that span entities. A policy that iterates gets them; each entity
// counts against the limit of the decision, and each that is built looks at
// the context.

// wholeType is data.directory[typ], or nil when the type has no entities.
func (t *transaction) wholeType(ctx context.Context, typ string) (ast.Value, error) {
	var members [][2]*ast.Term
	err := t.eachValue(ctx, typ, func(e eval.Entity, value *ast.Term) {
		members = append(members, [2]*ast.Term{ast.StringTerm(e.Ref()[len(typ)+1:]), value})
	})
	if err != nil || len(members) == 0 {
		return nil, err
	}
	return ast.NewObject(members...), nil
}

// wholeRef is data.directory.ref, of all types.
func (t *transaction) wholeRef(ctx context.Context) (ast.Value, error) {
	types, err := t.types(ctx)
	if err != nil {
		return nil, err
	}
	var members [][2]*ast.Term
	for _, typ := range types {
		err := t.eachValue(ctx, typ, func(e eval.Entity, value *ast.Term) {
			members = append(members, [2]*ast.Term{ast.StringTerm(e.Ref()), value})
		})
		if err != nil {
			return nil, err
		}
	}
	return ast.NewObject(members...), nil
}

// wholeDirectory is data.directory, its member ref included.
func (t *transaction) wholeDirectory(ctx context.Context) (ast.Value, error) {
	types, err := t.types(ctx)
	if err != nil {
		return nil, err
	}
	byRef, err := t.wholeRef(ctx)
	if err != nil {
		return nil, err
	}
	members := [][2]*ast.Term{{ast.StringTerm(refName), ast.NewTerm(byRef)}}
	for _, typ := range types {
		entities, err := t.wholeType(ctx, typ)
		if err != nil {
			return nil, err
		}
		if entities != nil {
			members = append(members, [2]*ast.Term{ast.StringTerm(typ), ast.NewTerm(entities)})
		}
	}
	return ast.NewObject(members...), nil
}

// everything is data itself: the static data and the directory.
func (t *transaction) everything(ctx context.Context) (ast.Value, error) {
	directory, err := t.wholeDirectory(ctx)
	if err != nil {
		return nil, err
	}
	all, _ := t.static.Merge(ast.NewObject([2]*ast.Term{ast.StringTerm(directoryName), ast.NewTerm(directory)}))
	return all, nil
}

func (t *transaction) types(ctx context.Context) ([]string, error) {
	var types []string
	err := t.directory.EachType(ctx, func(typ string) bool {
		types = append(types, typ)
		return true
	})
	return types, err
}

// eachValue visits the values of a type's entities, in the order of ids.
func (t *transaction) eachValue(ctx context.Context, typ string, visit func(eval.Entity, *ast.Term)) error {
	var failure error
	err := t.directory.EachEntity(ctx, typ, func(e eval.Entity) bool {
		var value *ast.Term
		if failure = ctx.Err(); failure == nil {
			value, failure = e.Value(ctx)
		}
		if failure != nil {
			return false
		}
		visit(e, value)
		return true
	})
	if failure != nil {
		return failure
	}
	return err
}
