package pip

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// derivePermissions builds a role's permissions: its own and those of the
// roles above it, each with the nearest role that it comes from, the lesser
// ref among equally near ones.
func (e *entity) derivePermissions(ctx context.Context) (*ast.Term, int, error) {
	type source struct {
		role     *entry
		distance int
	}
	from := make(map[string]source)
	var order []*ast.Term
	closure, err := e.closure(ctx)
	if err != nil {
		return nil, 0, err
	}
	err = e.reader.each(ctx, e.entry, closure, func(at *entry, ancestor ancestor) error {
		if at.key.typ != authz.RoleType {
			return nil
		}
		granted, err := e.reader.cache.attributesOf(at)
		if err != nil {
			return err
		}
		list, isList := valueAt(granted.Value, permissionsName).(*ast.Array)
		if !isList {
			return nil
		}
		list.Foreach(func(permission *ast.Term) {
			text, isString := permission.Value.(ast.String)
			if !isString {
				return
			}
			known, found := from[string(text)]
			if !found {
				order = append(order, permission)
			}
			if !found || known.distance == ancestor.Distance && at.key.id < known.role.key.id {
				from[string(text)] = source{role: at, distance: ancestor.Distance}
			}
		})
		return nil
	})
	members := make([][2]*ast.Term, len(order))
	for i, permission := range order {
		members[i] = [2]*ast.Term{permission, from[string(permission.Value.(ast.String))].role.ref}
	}
	return ast.ObjectTerm(members...), objectBytes(len(members)), err
}

// permissionsName is the name of a role's attribute, and of its member.
var permissionsName = ast.StringTerm("permissions")

// valueAt is a member of an object, or nil.
func valueAt(value ast.Value, name *ast.Term) ast.Value {
	object, isObject := value.(ast.Object)
	if !isObject {
		return nil
	}
	if term := object.Get(name); term != nil {
		return term.Value
	}
	return nil
}
