package pip

import "github.com/verdictpdp/verdict/api/authz"

// A Snapshot is a tenant's directory at one revision. The package's
// documentation says what Revision and Epoch promise.
type Snapshot interface {
	Tenant() string
	// Revision is the position in the order of writes that the snapshot
	// stands at.
	Revision() uint64
	// Epoch is the revision of the last change above a leaf, as far as that is
	// known. It is 0 where it is not, and always for a snapshot older than the
	// cache: then nothing that is read is kept.
	Epoch() uint64
	// Entity is the entity of a ref, and whether there is one.
	Entity(ref authz.EntityRef) (entity authz.Entity, known bool, err error)
	// GrantsOf are the grants whose subject is ref, in the order of their ids.
	// The subject need not exist; it may be the root.
	GrantsOf(subject authz.EntityRef) ([]authz.Grant, error)
	// EachID visits the ids of a type's entities that come after one, in order,
	// until visit returns false.
	EachID(typ, after string, visit func(id string) bool) error
	// EachType visits the types that have entities, in order, until visit
	// returns false.
	EachType(visit func(typ string) bool) error
}
