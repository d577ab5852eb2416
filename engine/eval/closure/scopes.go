package closure

// endScopes ends the body of an every or an operand of and and or once it has
// held for one binding, as OPA does: whether it holds is all that is asked. That
// of a not OPA goes through to its end, and so it is ended only where nothing in
// it may err. The plan notes that a body has held, and goes on:
//
//	group: …; held = true
//	is defined held
//
// Behind the first operand of an or, it is the group of the second that asks,
// before all else.
func endScopes(b *block) {
	everyBlock(b, func(b *block) {
		for i, s := range b.statements {
			switch s := s.(type) {
			case *negate:
				setApart(s.body, !mayErrWithin(s.body))
			case *group:
				if i+1 == len(b.statements) || len(s.blocks) != 1 {
					continue
				}
				if asked := askedFirst(b.statements[i+1]); asked != none {
					endWith(s.blocks[0], asked, 1)
				}
			}
		}
	})
}

// askedFirst is the local of which a statement asks first whether it is defined;
// none where it does something else first.
func askedFirst(s statement) local {
	switch s := s.(type) {
	case *isDefined:
		return s.local
	case *group:
		if len(s.blocks) > 0 && len(s.blocks[0].statements) > 0 {
			return askedFirst(s.blocks[0].statements[0])
		}
	}
	return none
}

// setApart puts all of a negated block but the question at its end into a block
// of its own, so that the question is asked even if a part of it, such as a loop
// over what is not there, ends the block. Early ends that block once it has held.
func setApart(b *block, early bool) {
	last := len(b.statements) - 1
	if last < 1 {
		return
	}
	asked, isCheck := b.statements[last].(*isDefined)
	if _, isApart := b.statements[0].(*group); !isCheck || !asked.defined || isApart && last == 1 {
		return
	}
	inside := &block{b.statements[:last:last]}
	if early {
		endWith(inside, asked.local, 1)
	}
	b.statements = []statement{&group{blocks: []*block{inside}}, asked}
}

// endWith leaves a block, so many deep, where a local is set.
func endWith(b *block, l local, depth signal) {
	var out []statement
	for i, s := range b.statements {
		out = append(out, s)
		for _, nested := range inner(s) {
			endWith(nested, l, depth+1)
		}
		held, isAssign := s.(*assign)
		if !isAssign || held.to != l || !isConstant(held.value) || depth == 1 && i == len(b.statements)-1 {
			continue
		}
		if next, leaves := at[*leave](b.statements, i+1); leaves && next.blocks == depth {
			continue
		}
		out = append(out, &leave{blocks: depth, at: held.at})
	}
	b.statements = out
}
