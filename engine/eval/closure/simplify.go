package closure

import "slices"

// simplify leaves out what does nothing: OPA's planner writes a block with
// jumps for each reference to a base document that no rule adds to. What is
// never reached stays: it tells onDemand the key of a rule that never holds.
func simplify(b *block) {
	everyBlock(b, func(b *block) {
		kept := b.statements[:0]
		for _, s := range b.statements {
			if g, isGroup := s.(*group); isGroup {
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
