package pip

import (
	"strconv"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// A grant is a grant as a policy sees it, and what it is sorted and grouped by.
type grant struct {
	id    string
	scope *ast.Term
	value *ast.Term
}

// grantBytes is an estimate of a grant's bytes, beyond those of its texts.
const grantBytes = 1_200

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
	if e.grants.CompareAndSwap(nil, &own) {
		e.bytes.Add(int64(size))
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
