package authz

import (
	"encoding/json"
	"math"
	"time"
	"unicode/utf8"
)

// Limits of a write. Each is held by Validate, or by the directory where it
// says so.
const (
	MaxBatchChanges   = 10_000   // changes in one batch
	MaxParents        = 1_000    // parents of one entity
	MaxAttributeBytes = 64 << 10 // bytes of an entity's attributes as JSON (held by the directory, on the canonical form)
	MaxAttributeDepth = 32       // nesting of an entity's attributes (held by the directory)
	MaxReasonBytes    = 1 << 10  // bytes of the reason of a grant or a change
)

// An Entity is what the directory stores under a ref.
type Entity struct {
	Ref EntityRef
	// Attributes is a JSON object; nil means {}. The directory keeps numbers
	// exact and gives the object back in canonical form: no space, names
	// sorted.
	Attributes json.RawMessage
	// Parents are the entities directly above this one, in the order given.
	// They need not exist.
	Parents []EntityRef
}

// Validate reports what is wrong with the entity, except for its attributes'
// JSON, which the directory parses.
func (e Entity) Validate() error {
	if err := e.Ref.ValidateStored(); err != nil {
		return err
	}
	if len(e.Parents) > MaxParents {
		return InvalidField("parents", "%s has %d parents: at most %d are allowed", e.Ref, len(e.Parents), MaxParents)
	}
	seen := make(map[EntityRef]bool, len(e.Parents))
	for _, parent := range e.Parents {
		switch err := parent.ValidateStored(); {
		case err != nil:
			return InField("parents", err)
		case parent == e.Ref:
			return InvalidField("parents", "%s is its own parent", Quote(e.Ref.String()))
		case seen[parent]:
			return InvalidField("parents", "%s stands twice", Quote(parent.String()))
		}
		seen[parent] = true
	}
	return nil
}

// A Grant assigns a role to a subject, on a scope and for a time
// (NIST RBAC's user assignment, with a scope and a window).
type Grant struct {
	// ID is any non-empty UTF-8 of at most MaxIDBytes bytes, unique in the
	// tenant.
	ID string
	// Subject is who is granted: a user, a group, a department, or the root
	// for everyone in the tenant.
	Subject EntityRef
	// Role is an entity of type role.
	Role EntityRef
	// Scope is what the role reaches: a resource or anything above it. The
	// zero ref means the whole tenant.
	Scope EntityRef
	// NotBefore and NotAfter bound the time in which the grant is in force:
	// NotBefore <= t < NotAfter. The zero time leaves that side open.
	NotBefore, NotAfter time.Time
	// Reason is why the grant was made; empty when not given.
	Reason string
}

// RoleType is the entity type of roles.
const RoleType = "role"

// Validate reports what is wrong with the grant.
func (g Grant) Validate() error {
	if err := ValidateGrantID(g.ID); err != nil {
		return InField("id", err)
	}
	if err := g.Subject.Validate(); err != nil {
		return InField("subject", err)
	}
	if err := g.Role.Validate(); err != nil {
		return InField("role", err)
	}
	if g.Role.Type != RoleType {
		return InvalidField("role", "%s is no role: expected role:<id>", Quote(g.Role.String()))
	}
	if !g.Scope.IsZero() {
		if err := g.Scope.Validate(); err != nil {
			return InField("scope", err)
		}
	}
	if !g.NotBefore.IsZero() && !g.NotAfter.IsZero() && !g.NotBefore.Before(g.NotAfter) {
		return InvalidField("not_after", "%s is not after not_before, %s: the grant would never be in force",
			g.NotAfter.Format(time.RFC3339Nano), g.NotBefore.Format(time.RFC3339Nano))
	}
	if len(g.Reason) > MaxReasonBytes {
		return InvalidField("reason", "the reason has %d bytes: at most %d are allowed", len(g.Reason), MaxReasonBytes)
	}
	if !utf8.ValidString(g.Reason) {
		return InvalidField("reason", "the reason is not valid UTF-8")
	}
	return nil
}

// NotBeforeNS is NotBefore in nanoseconds since 1970, 0 where unbounded, and
// clamped to [0, math.MaxInt64].
func (g Grant) NotBeforeNS() int64 {
	if g.NotBefore.IsZero() {
		return 0
	}
	return clampedNS(g.NotBefore)
}

// NotAfterNS is NotAfter in nanoseconds since 1970, math.MaxInt64 where
// unbounded, and clamped to [0, math.MaxInt64].
func (g Grant) NotAfterNS() int64 {
	if g.NotAfter.IsZero() {
		return math.MaxInt64
	}
	return clampedNS(g.NotAfter)
}

func clampedNS(t time.Time) int64 {
	switch seconds := t.Unix(); {
	case seconds < 0:
		return 0
	case seconds >= math.MaxInt64/int64(time.Second):
		return math.MaxInt64
	default:
		return t.UnixNano()
	}
}

// ValidateGrantID reports what is wrong with a grant's id.
func ValidateGrantID(id string) error { return validateID("grant id", id) }

// A Change is one step of a write: exactly one of its members is set.
type Change struct {
	PutEntity    *Entity
	PutGrant     *Grant
	DeleteEntity *EntityRef
	DeleteGrant  *string
}

// Validate reports what is wrong with the change, in fields that begin with the
// name of its member, such as put_entity.parents.
func (c Change) Validate() error {
	set := 0
	var err error
	if c.PutEntity != nil {
		set++
		err = InField("put_entity", c.PutEntity.Validate())
	}
	if c.PutGrant != nil {
		set++
		err = InField("put_grant", c.PutGrant.Validate())
	}
	if c.DeleteEntity != nil {
		set++
		err = InField("delete_entity", c.DeleteEntity.ValidateStored())
	}
	if c.DeleteGrant != nil {
		set++
		err = InField("delete_grant", ValidateGrantID(*c.DeleteGrant))
	}
	if set != 1 {
		return Errorf(Invalid, "a change has %d members set: expected exactly one of put_entity, put_grant, delete_entity, delete_grant", set)
	}
	return err
}

// A Precondition holds before a batch is applied, or the batch is refused with
// kind FailedPrecondition.
type Precondition struct {
	Ref EntityRef
	// Revision is the one in which the entity was last written; 0 demands
	// that the entity does not exist.
	Revision uint64
}

// A Batch is written all or not at all, as one directory revision.
type Batch struct {
	Preconditions []Precondition
	Changes       []Change
	// Author is who writes, as the change record will say.
	Author Author
}

// Validate reports every change and precondition that is wrong in form.
func (b Batch) Validate() error {
	if len(b.Changes) == 0 {
		return InvalidField("changes", "the batch is empty: expected 1 to %d changes", MaxBatchChanges)
	}
	if len(b.Changes) > MaxBatchChanges {
		return InvalidField("changes", "the batch has %d changes: at most %d are allowed, send several batches", len(b.Changes), MaxBatchChanges)
	}
	if len(b.Preconditions) > MaxBatchChanges {
		return InvalidField("preconditions", "the batch has %d preconditions: at most %d are allowed", len(b.Preconditions), MaxBatchChanges)
	}
	var errs []error
	if err := b.Author.Validate(); err != nil {
		errs = append(errs, err)
	}
	for i, p := range b.Preconditions {
		if err := p.Ref.ValidateStored(); err != nil {
			errs = append(errs, InField(indexed("preconditions", i), err))
		}
	}
	for i, c := range b.Changes {
		if err := c.Validate(); err != nil {
			errs = append(errs, InField(indexed("changes", i), err))
		}
	}
	return JoinInvalid(errs)
}
