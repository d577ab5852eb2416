package hierarchy

import (
	"context"

	"github.com/verdictpdp/verdict/api/authz"
)

// A Search looks for cycles. It remembers what it has found to be free of
// them, so that searching from many entities of one graph costs as much as the
// graph above them, once. The graph must not change between its calls, but for
// what Changed is told.
type Search struct {
	parentsOf ParentsOf
	most      int
	looked    int // at so many entities
	steps     int
	state     map[authz.EntityRef]bool // whether the ref is on the path now; absent when not met
	path      []step
}

// A step is an entity on the path from where the search began, and those of
// its parents that have not been looked at.
type step struct {
	ref  authz.EntityRef
	left []authz.EntityRef
}

// NewSearch begins a search over the edges that parentsOf finds, which may look
// at most at so many entities in all.
func NewSearch(parentsOf ParentsOf, most int) *Search {
	return &Search{parentsOf: parentsOf, most: most, state: make(map[authz.EntityRef]bool)}
}

// stepsBetweenLooks is after how many steps a search looks at its context.
const stepsBetweenLooks = 256

// FindCycle finds a cycle at or above ref: the way around it, with its first
// entity again at its end, beginning at ref when ref is on it. It is nil where
// there is none.
//
// Having to look at more entities than allowed is an error of kind
// LimitExceeded; the context's error and one of parentsOf are returned as they
// are. After an error the search is spent; after a cycle it is too, unless
// Changed takes an edge of it away: then call FindCycle with the same ref again.
func (s *Search) FindCycle(ctx context.Context, ref authz.EntityRef) ([]authz.EntityRef, error) {
	if len(s.path) == 0 {
		if _, met := s.state[ref]; met {
			return nil, nil
		}
		if err := s.enter(ref); err != nil {
			return nil, err
		}
	}
	for len(s.path) > 0 {
		if s.steps++; s.steps%stepsBetweenLooks == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		top := &s.path[len(s.path)-1]
		if len(top.left) == 0 {
			s.state[top.ref] = false
			s.path = s.path[:len(s.path)-1]
			continue
		}
		parent := top.left[0]
		top.left = top.left[1:]
		switch onPath, met := s.state[parent]; {
		case onPath:
			return s.cycleTo(parent), nil
		case met:
			continue
		}
		if err := s.enter(parent); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Changed tells the search that ref, which is on the cycle found last, has
// other parents. What was found to be free of cycles stays so: nothing of it
// is below ref.
func (s *Search) Changed(ref authz.EntityRef) error {
	for {
		top := s.path[len(s.path)-1].ref
		delete(s.state, top)
		s.path = s.path[:len(s.path)-1]
		if top == ref {
			return s.enter(ref)
		}
	}
}

func (s *Search) enter(ref authz.EntityRef) error {
	if s.looked++; s.looked > s.most {
		return authz.Errorf(authz.LimitExceeded, "looking for cycles met more than %d entities: write fewer changes at once", s.most)
	}
	parents, err := s.parentsOf(ref)
	if err != nil {
		return err
	}
	s.state[ref] = true
	s.path = append(s.path, step{ref: ref, left: parents})
	return nil
}

// cycleTo is the part of the path that begins at ref, closed.
func (s *Search) cycleTo(ref authz.EntityRef) []authz.EntityRef {
	from := len(s.path) - 1
	for s.path[from].ref != ref {
		from--
	}
	cycle := make([]authz.EntityRef, 0, len(s.path)-from+1)
	for _, step := range s.path[from:] {
		cycle = append(cycle, step.ref)
	}
	return append(cycle, ref)
}
