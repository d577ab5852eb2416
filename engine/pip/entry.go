package pip

import (
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// An entry is one entity, known or not, as it was at a revision, and remains
// until the entity changes. Its other members are filled when first needed, by
// any reader pinned where the entry holds.
type entry struct {
	key      key
	revision uint64
	known    bool
	ref      *ast.Term // type:id
	parents  []authz.EntityRef

	bytes      atomic.Int64 // estimate of the memory held, without derived
	attributes atomic.Pointer[attributes]
	grants     atomic.Pointer[[]grant] // the entity's own, by id
	derived    atomic.Pointer[derived]
}

// attributes are an entity's attributes, raw until they are first asked for.
type attributes struct {
	raw  []byte
	term *ast.Term // an object; nil while raw
}

// A grant is a grant as a policy sees it, and what it is sorted and grouped by.
type grant struct {
	id    string
	scope *ast.Term
	value *ast.Term
}

// Estimated bytes of what an entry holds.
const (
	entryBytes = 400 // the entry itself, its ref's term and its place in the cache
	refBytes   = 48  // a parent
	grantBytes = 1_200
)

// newEntry makes an entry of what a snapshot at a revision says of k.
func newEntry(k key, revision uint64, entity authz.Entity, known bool) *entry {
	text := k.ref().String()
	// The caller's strings may be parts of something large.
	k.typ, k.id = text[:len(k.typ)], text[len(k.typ)+1:]
	e := &entry{key: k, revision: revision, known: known, ref: ast.StringTerm(text), parents: entity.Parents}
	e.attributes.Store(&attributes{raw: entity.Attributes})
	size := entryBytes + len(text) + len(entity.Attributes)
	for _, parent := range entity.Parents {
		size += refBytes + len(parent.Type) + len(parent.ID)
	}
	e.bytes.Store(int64(size))
	return e
}

// weight is the entry's size for the cache's bound.
func (e *entry) weight() uint32 {
	bytes := e.bytes.Load()
	if d := e.derived.Load(); d != nil {
		bytes += d.bytes.Load()
	}
	return uint32(min(bytes, math.MaxUint32))
}

// attributesOf decodes an entry's attributes once.
func (c *Cache) attributesOf(e *entry) (*ast.Term, error) {
	a := e.attributes.Load()
	if a.term != nil {
		return a.term, nil
	}
	term, size, err := decode(a.raw, &c.names)
	if err != nil {
		return nil, authz.Errorf(authz.KindOf(err), "attributes of %s: %w", e.key, err)
	}
	if e.attributes.CompareAndSwap(a, &attributes{term: term}) {
		e.bytes.Add(int64(size - len(a.raw)))
		c.reweigh(e)
	}
	return term, nil
}

// grantsOf are an entry's own grants, read from a snapshot where e holds once.
func (c *Cache) grantsOf(e *entry, snapshot Snapshot) ([]grant, error) {
	if own := e.grants.Load(); own != nil {
		return *own, nil
	}
	stored, err := snapshot.GrantsOf(e.key.ref())
	if err != nil {
		return nil, err
	}
	own := make([]grant, len(stored))
	size := 0
	for i, g := range stored {
		own[i] = newGrant(g, e.key.tenant)
		size += grantBytes + len(g.ID) + len(g.Reason)
	}
	if e.grants.CompareAndSwap(nil, &own) && size > 0 {
		e.bytes.Add(int64(size))
		c.reweigh(e)
	}
	return own, nil
}

// newGrant is a stored grant as a policy sees it.
func newGrant(g authz.Grant, tenant string) grant {
	if g.Scope.IsZero() {
		g.Scope = authz.Root(tenant)
	}
	scope := ast.StringTerm(g.Scope.String())
	members := make([][2]*ast.Term, 0, 9)
	add := func(name *ast.Term, value *ast.Term) { members = append(members, [2]*ast.Term{name, value}) }
	add(grantNames.id, ast.StringTerm(g.ID))
	add(grantNames.subject, ast.StringTerm(g.Subject.String()))
	add(grantNames.role, ast.StringTerm(g.Role.String()))
	add(grantNames.scope, scope)
	add(grantNames.notBeforeNS, int64Term(g.NotBeforeNS()))
	add(grantNames.notAfterNS, int64Term(g.NotAfterNS()))
	if !g.NotBefore.IsZero() {
		add(grantNames.notBefore, ast.StringTerm(timeText(g.NotBefore)))
	}
	if !g.NotAfter.IsZero() {
		add(grantNames.notAfter, ast.StringTerm(timeText(g.NotAfter)))
	}
	if g.Reason != "" {
		add(grantNames.reason, ast.StringTerm(g.Reason))
	}
	return grant{id: g.ID, scope: scope, value: ast.ObjectTerm(members...)}
}

// grantNames are the names of a grant's members.
var grantNames = struct {
	id, subject, role, scope, notBefore, notAfter, notBeforeNS, notAfterNS, reason *ast.Term
}{
	id:          ast.StringTerm("id"),
	subject:     ast.StringTerm("subject"),
	role:        ast.StringTerm("role"),
	scope:       ast.StringTerm("scope"),
	notBefore:   ast.StringTerm("not_before"),
	notAfter:    ast.StringTerm("not_after"),
	notBeforeNS: ast.StringTerm("not_before_ns"),
	notAfterNS:  ast.StringTerm("not_after_ns"),
	reason:      ast.StringTerm("reason"),
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func int64Term(n int64) *ast.Term {
	if n == 0 {
		return ast.InternedTerm(0)
	}
	return ast.NewTerm(ast.Number(strconv.FormatInt(n, 10)))
}
