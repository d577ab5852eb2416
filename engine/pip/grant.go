package pip

import (
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// A grant is a stored grant; what a policy sees of it is made when it is first
// asked for: see BenchmarkCold.
type grant struct {
	own       *ownGrants
	id        string
	scope     *ast.Term
	role      *ast.Term
	notBefore time.Time
	notAfter  time.Time
	reason    string
	object    atomic.Pointer[ast.Term]
}

// ownGrants are the grants of which an entity is the subject. They do not lead
// to its entry, which what inherits them would else keep alive.
type ownGrants struct {
	subject *ast.Term
	ref     authz.EntityRef
	bytes   atomic.Int64 // estimate of the memory held
	grants  []grant
	set     grantSet
}

// Estimated bytes of what holds grants, and of a grant, without its texts.
const (
	ownGrantsBytes = 160
	grantBytes     = 136 + 8 + termBytes
)

// noGrants are those of all that have none.
var noGrants = &ownGrants{}

// grantsOf are an entry's own grants, read from a snapshot where e holds once.
func (c *Cache) grantsOf(e *entry, snapshot Snapshot) (*ownGrants, error) {
	if known := e.grants.Load(); known != nil {
		return known, nil
	}
	stored, err := snapshot.GrantsOf(e.key.ref())
	if err != nil {
		return nil, err
	}
	own := noGrants
	if len(stored) > 0 {
		own = c.newOwnGrants(e, stored)
	}
	if e.grants.CompareAndSwap(nil, own) {
		e.grown.Store(true)
	}
	return e.grants.Load(), nil
}

func (c *Cache) newOwnGrants(e *entry, stored []authz.Grant) *ownGrants {
	own := &ownGrants{subject: e.ref, ref: e.key.ref(), grants: make([]grant, len(stored))}
	own.set.bytes = &own.bytes
	own.set.list = make([]*grant, len(stored))
	names := &c.decoders.names
	size := ownGrantsBytes
	for i, g := range stored {
		scope := g.Scope
		if scope.IsZero() {
			scope = authz.Root(e.key.tenant)
		}
		at := &own.grants[i]
		at.own, at.id, at.reason = own, g.ID, g.Reason
		at.role = names.term(g.Role.String())
		at.scope, _ = c.decoders.common.term(scope.String())
		at.notBefore, at.notAfter = g.NotBefore, g.NotAfter
		own.set.list[i] = at
		size += grantBytes + len(g.ID) + len(scope.Type) + len(scope.ID) + len(g.Reason)
	}
	own.bytes.Store(int64(size))
	return own
}

// grantObject makes what a policy sees of a grant, and estimates its bytes.
func grantObject(g *grant) (*ast.Term, int) {
	stored := authz.Grant{NotBefore: g.notBefore, NotAfter: g.notAfter}
	members := make([][2]*ast.Term, 0, 9)
	add := func(name *ast.Term, value *ast.Term) { members = append(members, [2]*ast.Term{name, value}) }
	add(grantNames.id, ast.StringTerm(g.id))
	add(grantNames.subject, g.own.subject)
	add(grantNames.role, g.role)
	add(grantNames.scope, g.scope)
	add(grantNames.notBeforeNS, int64Term(stored.NotBeforeNS()))
	add(grantNames.notAfterNS, int64Term(stored.NotAfterNS()))
	if !g.notBefore.IsZero() {
		add(grantNames.notBefore, ast.StringTerm(timeText(g.notBefore)))
	}
	if !g.notAfter.IsZero() {
		add(grantNames.notAfter, ast.StringTerm(timeText(g.notAfter)))
	}
	if g.reason != "" {
		add(grantNames.reason, ast.StringTerm(g.reason))
	}
	return ast.ObjectTerm(members...), objectBytes(len(members)) + ownTerms*termBytes
}

// ownTerms is how many terms a grant's object has for itself, more or less.
const ownTerms = 4

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
	switch n {
	case 0:
		return ast.InternedTerm(0)
	case math.MaxInt64:
		return unbounded
	}
	return ast.NewTerm(ast.Number(strconv.FormatInt(n, 10)))
}

// unbounded is the end of what has none.
var unbounded = ast.NewTerm(ast.Number(strconv.FormatInt(math.MaxInt64, 10)))
