package store

import (
	"time"

	"github.com/verdictpdp/verdict/api/authz"
)

// An Op is what was done to a record.
type Op byte

// The operations.
const (
	PutEntity    Op = 'E'
	DeleteEntity Op = 'e'
	PutGrant     Op = 'G'
	DeleteGrant  Op = 'g'
	// SetPolicy is no change of the directory: the tenant's policy became another
	// one, or was refused.
	SetPolicy Op = 'B'
)

// A Touch is one record that a revision changed. What it became is read at
// that revision, for as long as that is kept. The rest of a touch outlives it, and
// is nil where the change was recorded before stores kept it.
type Touch struct {
	Op      Op
	Ref     authz.EntityRef // of an entity
	GrantID string          // of a grant

	// Author is who made the change; touches of one write share it.
	Author *authz.Author
	// Entity says how an entity changed.
	Entity *EntityDifference
	// Before and After are a grant as it was and became; nil where there was none,
	// or is none.
	Before, After *authz.Grant
	// Policy is what became of the tenant's policy.
	Policy *authz.PolicyChange
}

// A ChangeRecord is what one revision changed in a tenant.
type ChangeRecord struct {
	Revision uint64
	// Previous is the revision of the tenant's change before this one, 0 for
	// the first: a reader that has followed the chain knows that it has
	// missed none.
	Previous uint64
	// Time is when the revision was committed.
	Time time.Time
	// Touches are the records of each write, entities before grants.
	Touches []Touch
}
