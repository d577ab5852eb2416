package closure

// baseFirst lets a reference over both rules and base documents, data.p[x], go
// through the documents before the rules, as OPA does. The plan has it the other
// way round:
//
//	group: the rules, one after another
//	create set of their names
//	…the documents at data.p…
//	scan the documents; negate: is it a rule's name
func baseFirst(b *block) {
	everyBlock(b, func(b *block) {
		last := len(b.statements) - 1
		if last < 0 {
			return
		}
		loop, isScan := b.statements[last].(*scan)
		if !isScan {
			return
		}
		i := rulesBefore(b, loop)
		if i < 0 || escapes(b, 0) {
			return
		}
		rules := b.statements[i].(*group)
		documents := &block{b.statements[i+1:]}
		rules.blocks = append([]*block{documents}, rules.blocks...)
		b.statements = b.statements[: i+1 : i+1]
	})
}

// escapes reports whether a block is left for one further out than it is.
func escapes(b *block, depth signal) bool {
	for _, s := range b.statements {
		if l, leaves := s.(*leave); leaves && l.blocks > depth+1 {
			return true
		}
		for _, nested := range inner(s) {
			if escapes(nested, depth+1) {
				return true
			}
		}
	}
	return false
}
