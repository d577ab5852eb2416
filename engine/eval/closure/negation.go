package closure

// A negation of Rego before v2 holds unless its block comes to the end. For a
// reference such as data.p[x], where both rules and base documents stand at
// data.p, the plan goes through the rules and then the documents, and what it
// means to have come to the end is to have come to it in any of them. The plan
// does not say so: a loop ends well whatever it finds.

// noteEnds makes a negated block that ends with a loop note each way to its end,
// and ask at last whether there was one.
func (d *decoder) noteEnds(b *block) {
	if len(b.statements) == 0 {
		return
	}
	if _, isScan := b.statements[len(b.statements)-1].(*scan); !isScan {
		return
	}
	found := local(d.locals)
	d.locals++
	noteEnd(b, found)
	b.statements = append(b.statements, &isDefined{local: found, defined: true})
}

func noteEnd(b *block, found local) {
	if n := len(b.statements); n > 0 {
		if loop, isScan := b.statements[n-1].(*scan); isScan {
			noteEnd(loop.body, found)
			for _, alternative := range alternatives(b, loop) {
				noteEnd(alternative, found)
			}
			return
		}
	}
	b.statements = append(b.statements, &assign{to: found, value: constant{neverEqual}})
}

// alternatives are the blocks of the rules that the plan goes through before the
// base documents of a reference.
func alternatives(b *block, loop *scan) []*block {
	if i := rulesBefore(b, loop); i >= 0 {
		return b.statements[i].(*group).blocks
	}
	return nil
}

// rulesBefore is where those blocks stand, or -1. The names of the rules stand in
// a set, made right after them, which the loop over the documents leaves out.
func rulesBefore(b *block, loop *scan) int {
	for _, s := range loop.body.statements {
		skip, isNegate := s.(*negate)
		if !isNegate || len(skip.body.statements) != 1 {
			continue
		}
		look, isAssign := skip.body.statements[0].(*assign)
		if !isAssign {
			continue
		}
		in, isDot := look.value.(dot)
		if !isDot {
			continue
		}
		set, isRead := in.of.(read)
		if !isRead {
			continue
		}
		for i, before := range b.statements {
			made, isCreate := before.(*create)
			if !isCreate || made.to != set.from || i == 0 {
				continue
			}
			if _, isGroup := b.statements[i-1].(*group); isGroup {
				return i - 1
			}
		}
	}
	return -1
}
