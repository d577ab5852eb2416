package directory

import (
	"errors"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/store"
)

// A Record is an entity and the revision in which it was last written.
type Record = store.Record

// A Snapshot reads one tenant at one revision, which stays readable until
// Close. It is safe for use by many goroutines.
type Snapshot store.View // with other methods; a struct around it would be one more allocation a decision

func newSnapshot(view *store.View, err error) (*Snapshot, error) { return (*Snapshot)(view), err }

func (s *Snapshot) view() *store.View { return (*store.View)(s) }

// Close ends the snapshot. Nothing may be read through it any more.
func (s *Snapshot) Close() { s.view().Close() }

// Tenant is the tenant that is read.
func (s *Snapshot) Tenant() string { return s.view().Tenant() }

// Revision is the revision that is read.
func (s *Snapshot) Revision() uint64 { return s.view().Revision() }

// Epoch is the revision of the last change above a leaf, at or before
// Revision: of the parents, own grants or attributes of an entity that has
// children, or of a grant to the root. What an entity inherits depends on
// itself and on what is above it, so that it stays the same until the epoch
// moves or the entity itself changes. 0 means that the epoch is not known, as
// at most past revisions.
func (s *Snapshot) Epoch() uint64 { return s.view().Epoch() }

// Entity reads an entity, and reports whether there is one.
func (s *Snapshot) Entity(ref authz.EntityRef) (entity authz.Entity, known bool, err error) {
	record, known, err := s.view().Entity(ref)
	return record.Entity, known, err
}

// parentsOf reads the parents of an entity: none for one that does not exist.
func (s *Snapshot) parentsOf(ref authz.EntityRef) ([]authz.EntityRef, error) {
	record, _, err := s.view().Entity(ref)
	return record.Parents, err
}

// Record reads an entity and its revision; one that does not exist is an error
// of kind NotFound.
func (s *Snapshot) Record(ref authz.EntityRef) (Record, error) {
	record, known, err := s.view().Entity(ref)
	if err == nil && !known {
		err = authz.Errorf(authz.NotFound, "there is no entity %s at revision %d", authz.Quote(ref.String()), s.Revision())
	}
	return record, err
}

// Entities reads up to limit entities of a type whose ids come after afterID,
// in the order of ids.
func (s *Snapshot) Entities(typ, afterID string, limit int) ([]Record, error) {
	var records []Record
	if limit <= 0 {
		return nil, nil
	}
	err := s.view().EachEntity(typ, afterID, func(r Record) bool {
		records = append(records, r)
		return len(records) < limit
	})
	return records, err
}

// EachID visits the ids of a type's entities that come after one, in order, until
// visit returns false.
func (s *Snapshot) EachID(typ, after string, visit func(id string) bool) error {
	return s.view().EachEntityID(typ, after, visit)
}

// EachReferring visits the ids of a type's entities that name an entity in an
// attribute, as its text or in its list or object, until visit returns false: those
// that do in order, and then those that may. It is false, and visits none, where there is no
// index that tells.
func (s *Snapshot) EachReferring(typ, attribute string, to authz.EntityRef, visit func(id string) bool) (indexed bool, err error) {
	if !store.IndexesReference(attribute, to) {
		return false, nil
	}
	return true, s.view().EachReferring(typ, attribute, to, visit)
}

// EachChild visits the entities whose parent an entity is, in order, until visit
// returns false.
func (s *Snapshot) EachChild(parent authz.EntityRef, visit func(authz.EntityRef) bool) error {
	return s.view().EachChild(parent, visit)
}

// EachGrantee visits the subjects of the grants on a scope, the root for those
// without one, until visit returns false.
func (s *Snapshot) EachGrantee(scope authz.EntityRef, visit func(subject authz.EntityRef) bool) error {
	var failed error
	err := s.view().EachGrantID(store.AsScope, scope, "", func(id string) bool {
		grant, _, err := s.view().Grant(id)
		failed = err
		return err == nil && visit(grant.Subject)
	})
	return errors.Join(err, failed)
}

// EachType visits the types that have entities in order, until visit returns
// false.
func (s *Snapshot) EachType(visit func(typ string) bool) error { return s.view().EachType(visit) }

// Grant reads a grant, and reports whether there is one.
func (s *Snapshot) Grant(id string) (grant authz.Grant, known bool, err error) {
	return s.view().Grant(id)
}

// MaxGrantsOf is how many grants an entity may have as their subject for them
// to be read at once, as a decision does.
const MaxGrantsOf = 10_000

// GrantsOf reads the grants whose subject is the entity, in the order of their
// ids. More than MaxGrantsOf are an error of kind LimitExceeded.
func (s *Snapshot) GrantsOf(subject authz.EntityRef) ([]authz.Grant, error) {
	links, err := s.view().Links(subject)
	switch {
	case err != nil || links.AsSubject == 0:
		return nil, err
	case links.AsSubject > MaxGrantsOf:
		return nil, authz.Exceeded(authz.GrantsLimit, "%s has %d grants of its own: a decision reads at most %d, grant roles on wider scopes", authz.Quote(subject.String()), links.AsSubject, MaxGrantsOf)
	}
	return s.view().GrantsOf(subject, links.AsSubject)
}

// A GrantQuery asks for the grants that name all of its members that are set.
type GrantQuery struct {
	Subject, Role authz.EntityRef
	// Scope is the scope asked for; the root asks for the grants without one.
	Scope authz.EntityRef
}

// maxWalkedGrants is how many grants are looked at to answer one query.
const maxWalkedGrants = 100_000

// Grants reads up to limit grants that match a query and whose ids come after
// afterID, in the order of ids. It walks the index of the member that the
// fewest grants name. To look at more than 100,000 is an error of kind
// LimitExceeded.
func (s *Snapshot) Grants(q GrantQuery, afterID string, limit int) ([]authz.Grant, error) {
	return s.grants(q, afterID, limit, maxWalkedGrants)
}

// grants is Grants with a limit on the grants that are looked at.
func (s *Snapshot) grants(q GrantQuery, afterID string, limit, mostWalked int) ([]authz.Grant, error) {
	if limit <= 0 {
		return nil, nil
	}
	var grants []authz.Grant
	if q == (GrantQuery{}) {
		err := s.view().EachGrant(afterID, func(g authz.Grant) bool {
			grants = append(grants, g)
			return len(grants) < limit
		})
		return grants, err
	}
	place, ref, err := s.narrowest(q)
	if err != nil {
		return nil, err
	}
	walked := 0
	var failed error
	err = s.view().EachGrantID(place, ref, afterID, func(id string) bool {
		if walked++; walked > mostWalked {
			failed = authz.Errorf(authz.LimitExceeded, "finding the grants takes looking at more than %d: ask for fewer at once, or by subject too", mostWalked)
			return false
		}
		grant, _, err := s.view().Grant(id)
		if err != nil {
			failed = err
			return false
		}
		if q.matches(s.Tenant(), grant) {
			grants = append(grants, grant)
		}
		return len(grants) < limit
	})
	return grants, errors.Join(err, failed)
}

// narrowest finds the member of a query that the fewest grants name.
func (s *Snapshot) narrowest(q GrantQuery) (place store.Place, ref authz.EntityRef, err error) {
	least := -1
	for _, member := range []struct {
		place store.Place
		ref   authz.EntityRef
		count func(store.Links) int
	}{
		{store.AsSubject, q.Subject, func(l store.Links) int { return l.AsSubject }},
		{store.AsRole, q.Role, func(l store.Links) int { return l.AsRole }},
		{store.AsScope, q.Scope, func(l store.Links) int { return l.AsScope }},
	} {
		if member.ref.IsZero() {
			continue
		}
		links, err := s.view().Links(member.ref)
		if err != nil {
			return 0, ref, err
		}
		if n := member.count(links); least < 0 || n < least {
			least, place, ref = n, member.place, member.ref
		}
	}
	return place, ref, nil
}

func (q GrantQuery) matches(tenant string, g authz.Grant) bool {
	scope := g.Scope
	if scope.IsZero() {
		scope = authz.Root(tenant)
	}
	return (q.Subject.IsZero() || q.Subject == g.Subject) &&
		(q.Role.IsZero() || q.Role == g.Role) &&
		(q.Scope.IsZero() || q.Scope == scope)
}

// Expiring reads up to limit grants whose window ends in [from, until), the
// first to end first.
func (s *Snapshot) Expiring(from, until time.Time, limit int) ([]authz.Grant, error) {
	if limit <= 0 {
		return nil, nil
	}
	var grants []authz.Grant
	var failed error
	err := s.view().EachExpiring(from, until, func(id string) bool {
		grant, _, err := s.view().Grant(id)
		if err != nil {
			failed = err
			return false
		}
		grants = append(grants, grant)
		return len(grants) < limit
	})
	return grants, errors.Join(err, failed)
}
