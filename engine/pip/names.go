package pip

import (
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

const (
	maxNames     = 1 << 14 // names that are shared
	maxNameBytes = 64      // bytes of a name that is shared
)

// names shares the terms of names that stand in very many entities: types and
// names of attributes. It is bounded; a name beyond is merely not shared.
type names struct {
	mu    sync.RWMutex
	terms map[string]*ast.Term
}

// term is the term of a name.
func (n *names) term(name string) *ast.Term {
	n.mu.RLock()
	term := n.terms[name]
	n.mu.RUnlock()
	if term != nil {
		return term
	}
	term = ast.InternedTerm(strings.Clone(name)) // which may be a part of something large
	if len(name) > maxNameBytes {
		return term
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if present := n.terms[name]; present != nil {
		return present
	}
	if n.terms == nil {
		n.terms = make(map[string]*ast.Term)
	}
	if len(n.terms) < maxNames {
		n.terms[string(term.Value.(ast.String))] = term
	}
	return term
}

// root is the ref of a tenant's root.
func (n *names) root(tenant string) *ast.Term { return n.term(authz.Root(tenant).String()) }
