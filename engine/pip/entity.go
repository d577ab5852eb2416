package pip

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// An entity is an entry, read at a reader's revision. It implements
// eval.Entity.
type entity struct {
	reader  *Reader
	entry   *entry
	derived *derived

	// Found on the way to a member, and used for the next.
	parent  *entry     // see onlyParent
	above   []ancestor // see closure
	granted *effective // see effective
}

// Ref is type:id.
func (e *entity) Ref() string { return string(e.entry.ref.Value.(ast.String)) }

// Member is a member, nil for the permissions of what is no role.
func (e *entity) Member(ctx context.Context, m eval.Member) (*ast.Term, error) {
	term, err := e.member(ctx, m)
	if err != nil {
		return nil, err
	}
	e.reader.keep(e.entry)
	return term, nil
}

// Lookup is what stands at a key in a member.
func (e *entity) Lookup(ctx context.Context, m eval.Member, key *ast.Term) (*ast.Term, error) {
	term, err := e.Member(ctx, m)
	if term == nil || err != nil {
		return nil, err
	}
	switch value := term.Value.(type) {
	case ast.Object:
		return value.Get(key), nil
	case *ast.Array:
		return value.Get(key), nil
	}
	return nil, nil
}

// Value is the entity with all its members.
func (e *entity) Value(ctx context.Context) (*ast.Term, error) {
	if whole := e.derived.whole.Load(); whole != nil {
		return whole, nil
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
	whole := ast.ObjectTerm(members...)
	if e.derived.whole.CompareAndSwap(nil, whole) {
		e.derived.bytes.Add(int64(termBytes + objectBytes(int(memberCount))))
	}
	e.reader.keep(e.entry)
	return whole, nil
}

// memberNames are the members' names as terms.
var memberNames = func() (names [memberCount]*ast.Term) {
	for m := range memberCount {
		names[m] = ast.StringTerm(m.String())
	}
	return names
}()

// member is a member's term, remembered where it is worth it.
func (e *entity) member(ctx context.Context, m eval.Member) (*ast.Term, error) {
	switch m {
	case eval.Ref:
		return e.entry.ref, nil
	case eval.Attributes:
		return e.reader.cache.attributesOf(e.entry)
	}
	if known := e.derived.members[m].Load(); known != nil {
		return known, nil
	}
	term, size, err := e.derive(ctx, m)
	if term == nil || err != nil {
		return nil, err
	}
	if e.derived.members[m].CompareAndSwap(nil, term) {
		e.derived.bytes.Add(int64(size))
	}
	return term, nil
}

// derive computes a member and estimates its bytes.
func (e *entity) derive(ctx context.Context, m eval.Member) (*ast.Term, int, error) {
	switch m {
	case eval.Type:
		return e.reader.cache.decoders.names.term(e.entry.key.typ), 0, nil
	case eval.ID:
		return ast.StringTerm(e.entry.key.id), termBytes, nil
	case eval.Parents:
		return e.deriveParents(), arrayBytes(len(e.entry.parents)) + termBytes*len(e.entry.parents), nil
	case eval.Ancestors:
		return e.deriveAncestors(ctx)
	case eval.Distances:
		return e.deriveDistances(ctx)
	case eval.Grants:
		return e.deriveGrants(ctx)
	case eval.GrantsByScope:
		return e.deriveGrantsByScope(ctx)
	case eval.Permissions:
		if e.entry.key.typ == authz.RoleType {
			return e.derivePermissions(ctx)
		}
	}
	return nil, 0, nil
}

// deriveParents builds parents, in the order given.
func (e *entity) deriveParents() *ast.Term {
	terms := make([]*ast.Term, len(e.entry.parents))
	for i, parent := range e.entry.parents {
		terms[i] = ast.StringTerm(parent.String())
	}
	return ast.ArrayTerm(terms...)
}
