package directory

import (
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/hierarchy"
)

// A rehearsal is the sink that writes nothing: it looks for cycles as a write
// of each batch would, over a snapshot and the batches before. It remembers
// the parents of every entity that it was given, some hundred bytes each.
type rehearsal struct {
	snapshot *Snapshot
	parents  map[authz.EntityRef][]authz.EntityRef
	isParent map[authz.EntityRef]struct{}
	// last is the list of parents seen last: neighbours in a file often share
	// one, and then share its memory.
	last []authz.EntityRef
}

func newRehearsal(snapshot *Snapshot) *rehearsal {
	return &rehearsal{
		snapshot: snapshot,
		parents:  make(map[authz.EntityRef][]authz.EntityRef),
		isParent: make(map[authz.EntityRef]struct{}),
	}
}

func (h *rehearsal) put(batch []parsedLine, _ bool) (result, error) {
	undo := make(map[authz.EntityRef][]authz.EntityRef)
	var added []authz.EntityRef
	for _, line := range batch {
		ref, parents, edges := edgesOf(line.change)
		if !edges {
			continue
		}
		if _, seen := undo[ref]; !seen {
			before, err := h.parentsOf(ref)
			if err != nil {
				return result{}, err
			}
			undo[ref] = before
			added = append(added, ref)
		}
		h.set(ref, parents)
	}
	cycle, err := h.findCycle(added)
	if err != nil || cycle == nil {
		return result{}, err
	}
	for ref, parents := range undo {
		h.parents[ref] = parents
	}
	return h.putInOrder(batch)
}

// putInOrder is as that of a writing.
func (h *rehearsal) putInOrder(batch []parsedLine) (result, error) {
	var done result
	for _, line := range batch {
		ref, parents, edges := edgesOf(line.change)
		if !edges {
			continue
		}
		before, err := h.parentsOf(ref)
		if err != nil {
			return done, err
		}
		h.set(ref, parents)
		cycle, err := h.findCycle([]authz.EntityRef{ref})
		if err != nil {
			return done, err
		}
		if cycle != nil {
			h.parents[ref] = before
			done.refused = append(done.refused, LineError{line.number, cycleError(cycle, nil).Error()})
		}
	}
	return done, nil
}

// edgesOf are the edges that a change makes of an entity.
func edgesOf(c authz.Change) (ref authz.EntityRef, parents []authz.EntityRef, edges bool) {
	switch {
	case c.PutEntity != nil:
		return c.PutEntity.Ref, c.PutEntity.Parents, true
	case c.DeleteEntity != nil:
		return *c.DeleteEntity, nil, true
	}
	return ref, nil, false
}

func (h *rehearsal) set(ref authz.EntityRef, parents []authz.EntityRef) {
	if slices.Equal(parents, h.last) {
		parents = h.last
	} else {
		h.last = parents
		for _, parent := range parents {
			h.isParent[parent] = struct{}{}
		}
	}
	h.parents[ref] = parents
}

func (h *rehearsal) parentsOf(ref authz.EntityRef) ([]authz.EntityRef, error) {
	if parents, set := h.parents[ref]; set {
		return parents, nil
	}
	entity, _, err := h.snapshot.Entity(ref)
	return entity.Parents, err
}

// findCycle looks for a cycle above entities that got parents.
func (h *rehearsal) findCycle(refs []authz.EntityRef) ([]authz.EntityRef, error) {
	search := hierarchy.NewSearch(h.parentsOf, maxSearched)
	for _, ref := range refs {
		if _, isParent := h.isParent[ref]; !isParent {
			links, err := h.snapshot.view.Links(ref)
			if err != nil {
				return nil, err
			}
			if links.Children == 0 {
				continue
			}
		}
		if cycle, err := search.FindCycle(ref); err != nil || cycle != nil {
			return cycle, err
		}
	}
	return nil, nil
}
