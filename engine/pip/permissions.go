package pip

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// permissions are a role's permissions, each with the ref of the role that it
// comes from.
type permissions struct {
	table[permission]
	object atomic.Pointer[ast.Term]
}

type permission struct{ term, role *ast.Term }

// permissions are a role's own permissions and those of the roles above it,
// each with the nearest role that it comes from, the lesser ref among equally
// near ones. They are nil for what is no role.
func (e *entity) permissions(ctx context.Context) (*permissions, error) {
	if e.entry.key.typ != authz.RoleType {
		return nil, nil
	}
	d := e.derived()
	if known := d.permissions.Load(); known != nil {
		return known, nil
	}
	made, err := e.findPermissions(ctx)
	if err != nil {
		return nil, err
	}
	if d.permissions.CompareAndSwap(nil, made) {
		d.add(tableBytes(len(made.rows)) + 16*len(made.rows))
	}
	return made, nil
}

func (e *entity) findPermissions(ctx context.Context) (*permissions, error) {
	type source struct {
		permission
		at       *entry
		distance int32
	}
	from := make(map[string]source)
	closure, err := e.reader.closureOf(ctx, e.derived())
	if err != nil {
		return nil, err
	}
	err = e.reader.each(ctx, e.derived(), closure, func(at *entry, distance int32) error {
		if at.key.typ != authz.RoleType {
			return nil
		}
		granted, err := e.reader.cache.attribute(at, permissionsName)
		if granted == nil || err != nil {
			return err
		}
		list, isList := granted.Value.(*ast.Array)
		if !isList {
			return nil
		}
		list.Foreach(func(term *ast.Term) {
			text, isString := term.Value.(ast.String)
			if !isString {
				return
			}
			known, found := from[string(text)]
			if !found || cmp.Or(cmp.Compare(distance, known.distance), strings.Compare(at.key.id, known.at.key.id)) < 0 {
				from[string(text)] = source{permission{term, at.ref}, at, distance}
			}
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	texts := slices.Sorted(maps.Keys(from))
	rows := make([]permission, len(texts))
	for i, text := range texts {
		rows[i] = from[text].permission
	}
	return &permissions{table: newTable(texts, rows)}, nil
}

// permissionsName is the name of the attribute that has a role's own.
const permissionsName = "permissions"

// permissionsObject makes the object of a role's permissions once.
func (d *derived) permissionsObject(p *permissions) *ast.Term {
	if known := p.object.Load(); known != nil {
		return known
	}
	members := make([][2]*ast.Term, len(p.rows))
	for i, row := range p.rows {
		members[i] = [2]*ast.Term{row.term, row.role}
	}
	return d.remember(&p.object, ast.ObjectTerm(members...), objectBytes(len(members)))
}
