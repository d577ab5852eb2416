package closure

import "slices"

// simplify leaves out what does nothing: OPA's planner writes a block with
// jumps for each reference to a base document that no rule adds to. What is
// never reached stays: it tells onDemand the key of a rule that never holds.
func simplify(b *block) {
	everyBlock(b, func(b *block) {
		var kept []statement
		for _, s := range b.statements {
			if g, isGroup := s.(*group); isGroup {
				if reference := referenceOf(g); reference != nil {
					kept = append(kept, reference...)
					continue
				}
				s = simpler(g)
			}
			if s != nil {
				kept = append(kept, s)
			}
		}
		b.statements = kept
	})
}

// simpler is a group without the blocks that do nothing, nil where none is left.
func simpler(g *group) statement {
	g.blocks = slices.DeleteFunc(g.blocks, func(b *block) bool {
		if len(b.statements) == 0 {
			return true
		}
		l, leaves := b.statements[0].(*leave)
		return leaves && l.blocks == 1
	})
	if len(g.blocks) == 0 {
		return nil
	}
	if first, leaves := g.blocks[0].statements[0].(*leave); leaves {
		return &leave{first.blocks - 1, first.at}
	}
	return g
}

// referenceOf are the statements of a group that does nothing but look up the rest
// of a path in a document, as the plan has it where rules might add to it. They can
// stand in the group's place: either way, the block around ends where there is
// nothing.
//
//	group: group: val = object[key]; leave 2
//	       leave 2
func referenceOf(g *group) []statement {
	if len(g.blocks) != 1 || len(g.blocks[0].statements) != 2 || !leavesTwo(g.blocks[0].statements[1]) {
		return nil
	}
	way, isGroup := g.blocks[0].statements[0].(*group)
	if !isGroup || len(way.blocks) != 1 {
		return nil
	}
	all := way.blocks[0].statements
	last := len(all) - 1
	if last < 1 || !leavesTwo(all[last]) {
		return nil
	}
	for _, s := range all[:last] {
		found, isAssign := s.(*assign)
		if !isAssign {
			return nil
		}
		if _, isDot := found.value.(dot); !isDot {
			return nil
		}
	}
	end := all[last-1].(*assign)
	return append(all[:last-1:last-1], &assign{end.to, apart{end.value}, end.at})
}

func leavesTwo(s statement) bool {
	l, leaves := s.(*leave)
	return leaves && l.blocks == 2
}
