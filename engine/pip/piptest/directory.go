// Package piptest is a directory in memory for tests of what reads one: every
// revision stays readable, and commits are told as the real one tells them.
// It takes what it is given; checking writes is the real directory's business.
//
// Start with Directory.
package piptest

import (
	"cmp"
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
}

// New makes an empty directory, at revision 1.
func New(tenant string) *Directory {
	return &Directory{Tenant: tenant, states: []state{{epoch: 1}}}
}

// Write commits changes and returns the revision. Deleting an entity deletes
// the grants that name it.
func (d *Directory) Write(changes ...authz.Change) uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.states[len(d.states)-1]
	after := state{epoch: before.epoch, entities: maps.Clone(before.entities), grants: maps.Clone(before.grants)}
	if after.entities == nil {
		after.entities, after.grants = make(map[authz.EntityRef]authz.Entity), make(map[string]authz.Grant)
	}
	changed := make(map[authz.EntityRef]bool)
	for _, c := range changes {
		after.apply(c, d.Tenant, changed)
	}
	revision := uint64(len(d.states) + 1)
	if before.anyAbove(changed) || after.anyAbove(changed) {
		after.epoch = revision
	}
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
	var found []authz.Grant
	for _, g := range s.state.grants {
		if g.Subject == subject {
			found = append(found, g)
		}
	}
	slices.SortFunc(found, func(a, b authz.Grant) int { return cmp.Compare(a.ID, b.ID) })
	return found, nil
}

// EachID visits the ids of a type's entities, in order.
func (s *Snapshot) EachID(typ string, visit func(id string) bool) error {
	for _, ref := range s.refs() {
		if ref.Type == typ && !visit(ref.ID) {
			return nil
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
