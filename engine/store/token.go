package store

import (
	"hash/maphash"

	"github.com/verdictpdp/verdict/api/authz"
)

// A token stands for a thing that one write changes and another may rest on:
// it is a hash of what the thing is. That two things have the same one makes a
// write wait for another without need, and no more.
type token uint64

type tokenKind byte

const (
	entityToken   tokenKind = iota // an entity
	grantToken                     // a grant
	childrenToken                  // whether an entity has children
	grantsToken                    // which grants name an entity
	policyToken                    // what became of the policy last
)

// tokens makes the tokens of a tenant.
type tokens struct {
	seed   maphash.Seed
	tenant string
}

// of is the token of what a kind says of an entity or a grant.
func (t tokens) of(kind tokenKind, ref authz.EntityRef, grantID string) token {
	return token(maphash.Comparable(t.seed, struct {
		tenant  string
		kind    tokenKind
		ref     authz.EntityRef
		grantID string
	}{t.tenant, kind, ref, grantID}))
}
