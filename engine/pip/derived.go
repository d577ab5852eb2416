package pip

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/hierarchy"
)

// derived is what follows, for one entity, from itself and everything above
// it. It belongs to an epoch; each part is computed when first asked for.
type derived struct {
	epoch   uint64
	closure atomic.Pointer[[]hierarchy.Ancestor]
	members [memberCount]atomic.Pointer[ast.Term]
	whole   atomic.Pointer[ast.Term]
	bytes   atomic.Int64 // estimate of the memory held
}

const memberCount = eval.Permissions + 1

// Estimated bytes of what is derived.
const (
	derivedBytes  = 300
	ancestorBytes = 64 // one in a closure
	wholeBytes    = objectBytes + int(memberCount)*pairBytes
)

// derivedFor is where what is derived for an entry is kept at an epoch.
func (e *entry) derivedFor(epoch uint64) *derived {
	if epoch == 0 {
		return &derived{}
	}
	present := e.derived.Load()
	if present != nil && present.epoch == epoch {
		return present
	}
	d := &derived{epoch: epoch}
	if present == nil || present.epoch < epoch {
		e.derived.Store(d)
	}
	return d
}

// derivedGrew takes note that what is derived has come to hold more.
func (e *entity) derivedGrew(bytes int) {
	e.derived.bytes.Add(int64(bytes))
	if e.entry.derived.Load() == e.derived {
		e.reader.cache.reweigh(e.entry)
	}
}

// closure is everything at or above the entity, nearest first.
func (e *entity) closure(ctx context.Context) ([]hierarchy.Ancestor, error) {
	if known := e.derived.closure.Load(); known != nil {
		return *known, nil
	}
	root := authz.Root(e.entry.key.tenant)
	closure, err := hierarchy.Closure(e.entry.key.ref(), root, func(ref authz.EntityRef) ([]authz.EntityRef, error) {
		if ref == e.entry.key.ref() {
			return e.entry.parents, nil
		}
		above, err := e.reader.entry(ctx, ref)
		if err != nil {
			return nil, err
		}
		return above.parents, nil
	})
	if err != nil {
		return nil, err
	}
	e.derived.closure.Store(&closure)
	e.derivedGrew(derivedBytes + ancestorBytes*len(closure))
	return closure, nil
}

// above visits the entries of the closure, nearest first, the entity's own
// among them.
func (e *entity) above(ctx context.Context, visit func(*entry, hierarchy.Ancestor) error) error {
	closure, err := e.closure(ctx)
	if err != nil {
		return err
	}
	for i, ancestor := range closure {
		at := e.entry
		if i > 0 {
			if at, err = e.reader.entry(ctx, ancestor.Ref); err != nil {
				return err
			}
		}
		if err := visit(at, ancestor); err != nil {
			return err
		}
	}
	return nil
}

// deriveAncestors builds ancestors, which maps each ref to itself.
func (e *entity) deriveAncestors(ctx context.Context) (*ast.Term, int, error) {
	var members [][2]*ast.Term
	err := e.above(ctx, func(at *entry, _ hierarchy.Ancestor) error {
		members = append(members, [2]*ast.Term{at.ref, at.ref})
		return nil
	})
	return ast.ObjectTerm(members...), objectBytes + pairBytes*len(members), err
}

// deriveDistances builds distances.
func (e *entity) deriveDistances(ctx context.Context) (*ast.Term, int, error) {
	var members [][2]*ast.Term
	err := e.above(ctx, func(at *entry, ancestor hierarchy.Ancestor) error {
		members = append(members, [2]*ast.Term{at.ref, ast.InternedTerm(ancestor.Distance)})
		return nil
	})
	return ast.ObjectTerm(members...), objectBytes + pairBytes*len(members), err
}

// effectiveGrants are the entity's own grants and those of everything above
// it, by id.
func (e *entity) effectiveGrants(ctx context.Context) ([]grant, error) {
	var all []grant
	err := e.above(ctx, func(at *entry, _ hierarchy.Ancestor) error {
		own, err := e.reader.cache.grantsOf(at, e.reader.snapshot)
		all = append(all, own...)
		return err
	})
	slices.SortFunc(all, func(a, b grant) int { return strings.Compare(a.id, b.id) })
	return all, err
}

// deriveGrants builds grants.
func (e *entity) deriveGrants(ctx context.Context) (*ast.Term, int, error) {
	all, err := e.effectiveGrants(ctx)
	terms := make([]*ast.Term, len(all))
	for i, g := range all {
		terms[i] = g.value
	}
	return ast.ArrayTerm(terms...), objectBytes + 16*len(terms), err
}

// deriveGrantsByScope builds grants_by_scope.
func (e *entity) deriveGrantsByScope(ctx context.Context) (*ast.Term, int, error) {
	all, err := e.effectiveGrants(ctx)
	var scopes []*ast.Term
	byScope := make(map[string][]*ast.Term)
	for _, g := range all {
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
	return ast.ObjectTerm(members...), objectBytes + (objectBytes+pairBytes)*len(scopes) + 16*len(all), err
}

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
	err := e.above(ctx, func(at *entry, ancestor hierarchy.Ancestor) error {
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
	return ast.ObjectTerm(members...), objectBytes + pairBytes*len(members), err
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
