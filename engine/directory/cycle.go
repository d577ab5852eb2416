package directory

import (
	"context"
	"fmt"
	"slices"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/hierarchy"
	"github.com/verdictpdp/verdict/engine/store"
)

// maxSearched is how many entities are looked at to find the cycles that a
// batch closes.
const maxSearched = 1 << 20

// findCycle finds a cycle that a write has closed; nil where there is none. It
// has one of the edges that the write made, and so passes an entity that got a
// parent; one without children is on no cycle.
func findCycle(ctx context.Context, tx *store.Tx) ([]authz.EntityRef, error) {
	search := hierarchy.NewSearch(func(ref authz.EntityRef) ([]authz.EntityRef, error) {
		record, _, err := tx.Entity(ref)
		return record.Parents, err
	}, maxSearched)
	for i, ref := range tx.Reparented() {
		if err := stillWanted(ctx, i); err != nil {
			return nil, err
		}
		isParent, err := tx.HasChildren(ref)
		if err != nil {
			return nil, err
		}
		if !isParent {
			continue
		}
		if cycle, err := search.FindCycle(ctx, ref); err != nil || cycle != nil {
			return cycle, err
		}
	}
	return nil, nil
}

// changesBetweenLooks is after how many changes a write looks at its context:
// while it runs, all others wait.
const changesBetweenLooks = 256

// stillWanted is the error of the context, looked at once in a while.
func stillWanted(ctx context.Context, i int) error {
	if i%changesBetweenLooks != 0 {
		return nil
	}
	return ctx.Err()
}

// beginAt is the same cycle from another of its entities on.
func beginAt(cycle []authz.EntityRef, at int) []authz.EntityRef {
	return slices.Concat(cycle[at:len(cycle)-1], cycle[:at+1])
}

func cycleText(cycle []authz.EntityRef) string {
	return "parents close a cycle: " + hierarchy.CycleText(cycle)
}

// linesAtFault finds the lines of a batch that close cycles over what
// parentsOf finds before them: without those lines there are none. Of a cycle,
// the last line that makes an edge of it is at fault. The result is what is
// wrong, by the numbers of lines.
func linesAtFault(ctx context.Context, batch []parsedLine, parentsOf hierarchy.ParentsOf) (map[int]string, error) {
	// Of the lines of an entity, the last that is not at fault counts.
	linesOf := make(map[authz.EntityRef][]parsedLine)
	for _, line := range batch {
		if ref, _, edges := edgesOf(line.change); edges {
			linesOf[ref] = append(linesOf[ref], line)
		}
	}
	last := func(ref authz.EntityRef) (line parsedLine, found bool) {
		lines := linesOf[ref]
		if len(lines) == 0 {
			return line, false
		}
		return lines[len(lines)-1], true
	}
	before := make(map[authz.EntityRef][]authz.EntityRef) // as it was read
	search := hierarchy.NewSearch(func(ref authz.EntityRef) ([]authz.EntityRef, error) {
		if line, found := last(ref); found {
			_, parents, _ := edgesOf(line.change)
			return parents, nil
		}
		parents, read := before[ref]
		if read {
			return parents, nil
		}
		parents, err := parentsOf(ref)
		before[ref] = parents
		return parents, err
	}, maxSearched)

	atFault := make(map[int]string)
	for _, line := range batch {
		ref, _, edges := edgesOf(line.change)
		for edges {
			cycle, err := search.FindCycle(ctx, ref)
			if err == nil {
				err = ctx.Err() // a long cycle takes long to look at
			}
			if err != nil {
				return nil, err
			}
			if cycle == nil {
				break
			}
			at, number := 0, 0
			for i, on := range cycle[1:] {
				if line, found := last(on); found && line.number > number {
					at, number = i+1, line.number
				}
			}
			if number == 0 {
				return nil, fmt.Errorf("the directory has a cycle: %s", hierarchy.CycleText(cycle))
			}
			closing := cycle[at]
			atFault[number] = cycleText(beginAt(cycle, at))
			linesOf[closing] = linesOf[closing][:len(linesOf[closing])-1]
			if err := search.Changed(closing); err != nil {
				return nil, err
			}
		}
	}
	return atFault, nil
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
