// Package piptest is a directory in memory for tests of what reads one: every
// revision stays readable, and commits are told as the real one tells them.
// It takes what it is given; checking writes is the real directory's business.
//
// Start with Directory.
package piptest

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Directory is one tenant's directory. It is safe for use by many goroutines
// at once.
type Directory struct {
	// Tenant is the tenant's name.
	Tenant string
	// OnCommit is told of a commit before it can be read; nil is told nothing.
	OnCommit func(tenant string, revision uint64, changed []authz.EntityRef)

	mu     sync.Mutex
	states []state // of revision 1 + index
}

// A state is the directory at one revision. It is not changed once made.
type state struct {
	epoch    uint64
	entities map[authz.EntityRef]authz.Entity
	grants   map[string]authz.Grant
	// bySubject are the grants of each subject, by id.
	bySubject func() map[authz.EntityRef][]authz.Grant
}

// New makes an empty directory, at revision 1.
func New(tenant string) *Directory {
	empty := state{epoch: 1, entities: make(map[authz.EntityRef]authz.Entity), grants: make(map[string]authz.Grant)}
	empty.bySubject = sync.OnceValue(empty.groupGrants)
	return &Directory{Tenant: tenant, states: []state{empty}}
}

// Write commits changes and returns the revision. Deleting an entity deletes
// the grants that name it.
func (d *Directory) Write(changes ...authz.Change) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.states[len(d.states)-1]
	after := state{epoch: before.epoch, entities: maps.Clone(before.entities), grants: maps.Clone(before.grants)}
	changed := make(map[authz.EntityRef]bool)
	for _, c := range changes {
		after.apply(c, d.Tenant, changed)
	}
	revision := uint64(len(d.states) + 1)
	if before.anyAbove(changed) || after.anyAbove(changed) {
		after.epoch = revision
	}
	after.bySubject = sync.OnceValue(after.groupGrants)
	if d.OnCommit != nil {
		d.OnCommit(d.Tenant, revision, slices.SortedFunc(maps.Keys(changed), authz.EntityRef.Compare))
	}
	d.states = append(d.states, after)
	return revision
}

func (s *state) apply(c authz.Change, tenant string, changed map[authz.EntityRef]bool) {
	switch {
	case c.PutEntity != nil:
		s.entities[c.PutEntity.Ref] = *c.PutEntity
		changed[c.PutEntity.Ref] = true
	case c.PutGrant != nil:
		s.deleteGrant(c.PutGrant.ID, changed)
		s.grants[c.PutGrant.ID] = *c.PutGrant
		changed[c.PutGrant.Subject] = true
	case c.DeleteGrant != nil:
		s.deleteGrant(*c.DeleteGrant, changed)
	case c.DeleteEntity != nil:
		ref := *c.DeleteEntity
		delete(s.entities, ref)
		changed[ref] = true
		for id, g := range s.grants {
			if g.Subject == ref || g.Role == ref || g.Scope == ref {
				s.deleteGrant(id, changed)
			}
		}
	}
}

func (s *state) deleteGrant(id string, changed map[authz.EntityRef]bool) {
	if g, found := s.grants[id]; found {
		changed[g.Subject] = true
		delete(s.grants, id)
	}
}

// anyAbove reports whether any of the refs stands above something.
func (s *state) anyAbove(refs map[authz.EntityRef]bool) bool {
	for ref := range refs {
		if ref.IsRoot() {
			return true
		}
	}
	for _, e := range s.entities {
		for _, parent := range e.Parents {
			if refs[parent] {
				return true
			}
		}
	}
	return false
}

// Latest is a snapshot of the latest revision.
func (d *Directory) Latest() *Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	latest := d.states[len(d.states)-1]
	return &Snapshot{tenant: d.Tenant, revision: uint64(len(d.states)), epoch: latest.epoch, state: latest}
}

// At is a snapshot of a revision, as of the past: its epoch is not known.
func (d *Directory) At(revision uint64) *Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	return &Snapshot{tenant: d.Tenant, revision: revision, state: d.states[revision-1]}
}

// A Snapshot is the directory at one revision. It implements pip.Snapshot.
type Snapshot struct {
	tenant   string
	revision uint64
	epoch    uint64
	state    state
}

// Tenant is the tenant's name.
func (s *Snapshot) Tenant() string { return s.tenant }

// Revision is the snapshot's revision.
func (s *Snapshot) Revision() uint64 { return s.revision }

// Epoch is the snapshot's epoch, 0 for one of the past.
func (s *Snapshot) Epoch() uint64 { return s.epoch }

// Close does nothing.
func (s *Snapshot) Close() {}

// Entity is the entity of a ref, and whether there is one.
func (s *Snapshot) Entity(ref authz.EntityRef) (authz.Entity, bool, error) {
	e, known := s.state.entities[ref]
	return e, known, nil
}

// GrantsOf are the grants of a subject, by id.
func (s *Snapshot) GrantsOf(subject authz.EntityRef) ([]authz.Grant, error) {
	return s.state.bySubject()[subject], nil
}

func (s state) groupGrants() map[authz.EntityRef][]authz.Grant {
	bySubject := make(map[authz.EntityRef][]authz.Grant)
	for _, id := range slices.Sorted(maps.Keys(s.grants)) {
		g := s.grants[id]
		bySubject[g.Subject] = append(bySubject[g.Subject], g)
	}
	return bySubject
}

// EachID visits the ids of a type's entities that come after one, in order.
func (s *Snapshot) EachID(typ, after string, visit func(id string) bool) error {
	for _, ref := range s.refs() {
		if ref.Type == typ && ref.ID > after && !visit(ref.ID) {
			return nil
		}
	}
	return nil
}

// EachReferring visits the ids of a type's entities that name an entity in an
// attribute, in order.
func (s *Snapshot) EachReferring(typ, attribute string, to authz.EntityRef, visit func(id string) bool) (indexed bool, err error) {
	for _, ref := range s.refs() {
		if ref.Type != typ {
			continue
		}
		var attributes map[string]any
		if raw := s.state.entities[ref].Attributes; len(raw) > 0 {
			if err := json.Unmarshal(raw, &attributes); err != nil {
				return false, err
			}
		}
		if names(attributes[attribute], to.String()) && !visit(ref.ID) {
			break
		}
	}
	return true, nil
}

// names reports whether a value is a text or has it as a member.
func names(value any, text string) bool {
	switch value := value.(type) {
	case string:
		return value == text
	case []any:
		return slices.Contains(value, any(text))
	case map[string]any:
		return slices.Contains(slices.Collect(maps.Values(value)), any(text))
	default:
		return false
	}
}

// EachChild visits the entities whose parent an entity is, in order.
func (s *Snapshot) EachChild(parent authz.EntityRef, visit func(authz.EntityRef) bool) error {
	for _, ref := range s.refs() {
		if slices.Contains(s.state.entities[ref].Parents, parent) && !visit(ref) {
			break
		}
	}
	return nil
}

// EachGrantee visits the subjects of the grants on a scope.
func (s *Snapshot) EachGrantee(scope authz.EntityRef, visit func(subject authz.EntityRef) bool) error {
	for _, id := range slices.Sorted(maps.Keys(s.state.grants)) {
		g := s.state.grants[id]
		if (g.Scope == scope || g.Scope.IsZero() && scope.IsRoot()) && !visit(g.Subject) {
			break
		}
	}
	return nil
}

// EachType visits the types that have entities, in order.
func (s *Snapshot) EachType(visit func(typ string) bool) error {
	last := ""
	for _, ref := range s.refs() {
		if ref.Type != last && !visit(ref.Type) {
			return nil
		}
		last = ref.Type
	}
	return nil
}

func (s *Snapshot) refs() []authz.EntityRef {
	return slices.SortedFunc(maps.Keys(s.state.entities), authz.EntityRef.Compare)
}
