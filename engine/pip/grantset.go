package pip

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A grantSet is grants, as policies see them: in the order of their ids, and by
// scope. Each part is made when it is first asked for.
type grantSet struct {
	list    []*grant
	bytes   *atomic.Int64 // where what is made is counted; nil for an empty set
	array   atomic.Pointer[ast.Term]
	scopes  atomic.Pointer[table[scope]]
	byScope atomic.Pointer[ast.Term]
}

// A scope is the grants of a set that have one scope.
type scope struct {
	grants []*grant
	array  atomic.Pointer[ast.Term]
}

// Estimated bytes of a set of grants, still empty, and of a scope in it.
const (
	setBytes   = 64
	scopeBytes = 32
)

// newGrantSet makes a set of grants in any order, counted with what is derived.
func newGrantSet(all []*grant, d *derived) *grantSet {
	if len(all) == 0 {
		return &noGrants.set
	}
	slices.SortFunc(all, func(a, b *grant) int { return strings.Compare(a.id, b.id) })
	d.add(setBytes + 8*len(all))
	return &grantSet{list: all, bytes: &d.bytes}
}

// grantSets are the entity's own grants, and those of everything above it. They
// are one set where that has been made, and the other is empty.
func (e *entity) grantSets(ctx context.Context) (own, inherited *grantSet, err error) {
	if d := e.present(); d != nil {
		if known := d.grants.Load(); known != nil {
			return known, &noGrants.set, nil
		}
	}
	up, err := e.upward(ctx) // first, for it knows the limit
	if err != nil {
		return nil, nil, err
	}
	inherited, err = e.reader.effectiveOf(ctx, up)
	if err != nil || up.entry == e.entry {
		return &noGrants.set, inherited, err
	}
	mine, err := e.reader.cache.grantsOf(e.entry, e.reader.snapshot)
	if err != nil {
		return nil, nil, err
	}
	return &mine.set, inherited, nil
}

// effective is the entity's grants and those of everything above it, in one
// set, remembered. Whoever adds none to what is inherited has the same set.
func (e *entity) effective(ctx context.Context) (*grantSet, error) {
	own, inherited, err := e.grantSets(ctx)
	switch {
	case err != nil:
		return nil, err
	case len(own.list) == 0:
		return inherited, nil
	case len(inherited.list) == 0:
		return own, nil
	}
	d := e.derived()
	made := newGrantSet(slices.Concat(own.list, inherited.list), d)
	d.grants.CompareAndSwap(nil, made)
	return d.grants.Load(), nil
}

// effectiveOf are the grants of an entry and of everything above it,
// remembered.
func (r *Reader) effectiveOf(ctx context.Context, d *derived) (*grantSet, error) {
	if known := d.grants.Load(); known != nil {
		return known, nil
	}
	closure, err := r.closureOf(ctx, d)
	if err != nil {
		return nil, err
	}
	var all []*grant
	err = r.each(ctx, d, closure, func(above *entry, _ int32) error {
		own, err := r.cache.grantsOf(above, r.snapshot)
		if err == nil {
			all = append(all, own.set.list...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	d.grants.CompareAndSwap(nil, newGrantSet(all, d))
	r.keep(d.entry)
	return d.grants.Load(), nil
}

// made counts what has been made of a set, which is the entity's or that of
// what is above it.
func (e *entity) made(s *grantSet, bytes int) {
	s.bytes.Add(int64(bytes))
	e.entry.grown.Store(true)
	if e.up != nil {
		e.up.entry.grown.Store(true)
		e.reader.keep(e.up.entry)
	}
}

// arrayOf makes an array of grants.
func (e *entity) arrayOf(grants []*grant) *ast.Term {
	terms := make([]*ast.Term, len(grants))
	for i, g := range grants {
		terms[i] = e.objectOf(g)
	}
	return ast.ArrayTerm(terms...)
}

// objectOf makes what a policy sees of a grant once. The grant may be one of an
// entity above, which is to be counted anew then.
func (e *entity) objectOf(g *grant) *ast.Term {
	if known := g.object.Load(); known != nil {
		return known
	}
	if made, size := grantObject(g); g.object.CompareAndSwap(nil, made) {
		g.own.bytes.Add(int64(size))
		owner := e.entry
		if e.entry.grants.Load() != g.own {
			owner = e.reader.cache.lookup(key{e.reader.tenant, g.own.ref.Type, g.own.ref.ID}, e.reader.revision)
		}
		if owner != nil {
			owner.grown.Store(true)
			e.reader.keep(owner)
		}
	}
	return g.object.Load()
}

// grantsArray makes the array of a set once.
func (e *entity) grantsArray(s *grantSet) *ast.Term {
	if len(s.list) == 0 {
		return ast.InternedEmptyArray
	}
	if known := s.array.Load(); known != nil {
		return known
	}
	if s.array.CompareAndSwap(nil, e.arrayOf(s.list)) {
		e.made(s, arrayBytes(len(s.list)))
	}
	return s.array.Load()
}

// scopesOf finds the scopes of a set once.
func (e *entity) scopesOf(s *grantSet) *table[scope] {
	if len(s.list) == 0 {
		return &noScopes
	}
	if known := s.scopes.Load(); known != nil {
		return known
	}
	found := findScopes(s.list)
	if s.scopes.CompareAndSwap(nil, found) {
		e.made(s, tableBytes(len(found.rows))+scopeBytes*len(found.rows)+8*len(s.list))
	}
	return s.scopes.Load()
}

var noScopes table[scope]

func findScopes(list []*grant) *table[scope] {
	all := slices.Clone(list)
	slices.SortStableFunc(all, func(a, b *grant) int { return strings.Compare(textOf(a.scope), textOf(b.scope)) })
	texts := make([]string, 0, len(all))
	for _, g := range all {
		texts = append(texts, textOf(g.scope))
	}
	texts = slices.Compact(texts)
	rows := make([]scope, len(texts))
	for i, text := range texts {
		end := 0
		for end < len(all) && textOf(all[end].scope) == text {
			end++
		}
		rows[i].grants, all = all[:end:end], all[end:]
	}
	found := newTable(texts, rows)
	return &found
}

// scopeArray makes the array of a set's scope once.
func (e *entity) scopeArray(s *grantSet, at *scope) *ast.Term {
	if known := at.array.Load(); known != nil {
		return known
	}
	if at.array.CompareAndSwap(nil, e.arrayOf(at.grants)) {
		e.made(s, arrayBytes(len(at.grants)))
	}
	return at.array.Load()
}

// byScopeObject makes the object of a set's scopes once.
func (e *entity) byScopeObject(s *grantSet) *ast.Term {
	if len(s.list) == 0 {
		return ast.InternedEmptyObject
	}
	if known := s.byScope.Load(); known != nil {
		return known
	}
	scopes := e.scopesOf(s)
	members := make([][2]*ast.Term, len(scopes.rows))
	for i := range scopes.rows {
		at := &scopes.rows[i]
		members[i] = [2]*ast.Term{at.grants[0].scope, e.scopeArray(s, at)}
	}
	if s.byScope.CompareAndSwap(nil, ast.ObjectTerm(members...)) {
		e.made(s, objectBytes(len(members)))
	}
	return s.byScope.Load()
}

// grantsAt is the array of the grants that have a scope, or nil. Only where
// both the entity and what is above it has some, the two are put together.
func (e *entity) grantsAt(ctx context.Context, text string) (*ast.Term, error) {
	own, inherited, err := e.grantSets(ctx)
	if err != nil {
		return nil, err
	}
	set, at := own, e.scopeAt(own, text)
	switch theirs := e.scopeAt(inherited, text); {
	case at == nil && theirs == nil:
		return nil, nil
	case at == nil:
		set, at = inherited, theirs
	case theirs != nil:
		if set, err = e.effective(ctx); err != nil {
			return nil, err
		}
		at = e.scopeAt(set, text)
	}
	return e.scopeArray(set, at), nil
}

// scopeAt is what a set has of a scope, or nil. Few grants of which none has it
// need no table to know that.
func (e *entity) scopeAt(s *grantSet, text string) *scope {
	has := func(g *grant) bool { return textOf(g.scope) == text }
	if s.scopes.Load() == nil && len(s.list) <= fewRows && !slices.ContainsFunc(s.list, has) {
		return nil
	}
	scopes := e.scopesOf(s)
	if i := scopes.find(text); i >= 0 {
		return &scopes.rows[i]
	}
	return nil
}
