package closure

// foldQuestions makes conditions of blocks that note that they have come to
// their end, where all that follows is the question whether they have:
//
//	group: …; held = true
//	is defined held
//
// and lets go of resets of locals that nothing else sets.
func foldQuestions(b *block, fixed map[local]bool) {
	used := usageOf(b)
	asked := make(map[local]int)
	everyStatement(b, func(s statement) {
		if q, isQuestion := s.(*isDefined); isQuestion {
			asked[q.local]++
		}
	})
	everyBlock(b, func(b *block) {
		var out []statement
		for i := 0; i < len(b.statements); i++ {
			s := b.statements[i]
			if r, isReset := s.(*reset); isReset && !fixed[r.local] && used.set[r.local] == 1 && used.read[r.local] == 0 && asked[r.local] == 0 {
				continue
			}
			if q, isQuestion := at[*isDefined](b.statements, i+1); isQuestion && q.defined && asked[q.local] == 1 && used.set[q.local] == 1 && used.read[q.local] == 0 && !fixed[q.local] {
				if held := heldIn(s, q.local); held != nil {
					out = append(out, held...)
					i++
					continue
				}
			}
			out = append(out, s)
		}
		b.statements = out
	})
}

// heldIn are the statements of a group that go before the one that says that it
// has come to its end; nil where it is of another form.
func heldIn(s statement, held local) []statement {
	g, isGroup := s.(*group)
	if !isGroup || len(g.blocks) != 1 {
		return nil
	}
	statements := g.blocks[0].statements
	last := len(statements) - 1
	if last < 1 {
		return nil
	}
	says, isAssign := statements[last].(*assign)
	if !isAssign || says.to != held || !isConstant(says.value) {
		return nil
	}
	leaves := false
	everyStatement(g.blocks[0], func(s statement) {
		_, is := s.(*leave)
		leaves = leaves || is
	})
	if leaves {
		return nil
	}
	return statements[:last]
}
