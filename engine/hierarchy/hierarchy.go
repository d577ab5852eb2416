// Package hierarchy is the graph that parents make: what stands above an
// entity, how far away, and whether a write would close a cycle.
//
// It is pure. It knows neither where entities are kept nor at which revision:
// whoever calls brings the edges as a ParentsOf. Every walk marks a ref when
// it is first met, so that a diamond costs what its edges cost, however many
// ways lead through it, and every walk is bounded.
//
// Start with Closure.
package hierarchy

import (
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// MaxAncestors is how many ancestors an entity may have, itself and the root
// included.
const MaxAncestors = 10_000

// ParentsOf finds the parents of an entity: none for one that does not exist.
type ParentsOf func(authz.EntityRef) ([]authz.EntityRef, error)

// An Ancestor is an entity at or above another.
type Ancestor struct {
	Ref authz.EntityRef
	// Distance is the number of edges on the shortest way to it.
	Distance int
}

// Closure finds everything at or above ref, nearest first: ref itself at
// distance 0, its ancestors, and root, which is above everything. What has no
// parents stands directly below the root, an entity that does not exist
// included. Its order among equals is that of the parents.
//
// More than MaxAncestors are an error of kind LimitExceeded; an error of
// parentsOf is returned as it is.
func Closure(ref, root authz.EntityRef, parentsOf ParentsOf) ([]Ancestor, error) {
	closure := make([]Ancestor, 1, 8)
	closure[0] = Ancestor{Ref: ref}
	var met refSet
	met.add(ref)
	for next := 0; next < len(closure); next++ {
		at := closure[next]
		if at.Ref == root {
			continue
		}
		parents, err := parentsOf(at.Ref)
		if err != nil {
			return nil, err
		}
		if len(parents) == 0 {
			parents = []authz.EntityRef{root}
		}
		for _, parent := range parents {
			if !met.add(parent) {
				continue
			}
			if len(closure) == MaxAncestors {
				return nil, authz.Exceeded(authz.AncestorsLimit, "%s has more than %d ancestors: flatten the hierarchy above it", authz.Quote(ref.String()), MaxAncestors)
			}
			closure = append(closure, Ancestor{Ref: parent, Distance: at.Distance + 1})
		}
	}
	return closure, nil
}

// smallSet is up to how many refs a scan beats a map.
const smallSet = 12

// A refSet is a set of refs, which is usually small.
type refSet struct {
	few  []authz.EntityRef
	many map[authz.EntityRef]struct{}
}

// add puts ref into the set and reports whether it is new.
func (s *refSet) add(ref authz.EntityRef) bool {
	if s.many == nil {
		for _, member := range s.few {
			if member == ref {
				return false
			}
		}
		if len(s.few) < smallSet {
			s.few = append(s.few, ref)
			return true
		}
		s.many = make(map[authz.EntityRef]struct{}, 2*smallSet)
		for _, member := range s.few {
			s.many[member] = struct{}{}
		}
	}
	if _, found := s.many[ref]; found {
		return false
	}
	s.many[ref] = struct{}{}
	return true
}

// maxNamed is how many entities of a cycle an error names.
const maxNamed = 20

// CycleText names a cycle in an error: a → b → a. The middle of a long one is
// left out.
func CycleText(cycle []authz.EntityRef) string {
	names := make([]string, 0, maxNamed+1)
	for i, ref := range cycle {
		switch fromEnd := len(cycle) - i; {
		case len(cycle) <= maxNamed || i < maxNamed/2 || fromEnd <= maxNamed/2:
			names = append(names, ref.String())
		case i == maxNamed/2:
			names = append(names, "…")
		}
	}
	return strings.Join(names, " → ")
}
