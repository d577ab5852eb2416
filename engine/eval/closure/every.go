package closure

// endEvery ends the loop of an every with the first member that its body does
// not hold for, as OPA does. The plan notes that there is one, goes on, and asks
// when it has come to the end:
//
//	scan: …; is undefined held; failed = true
//	is undefined failed
func endEvery(b *block) {
	everyBlock(b, func(b *block) {
		for i := range len(b.statements) - 1 {
			loop, isScan := b.statements[i].(*scan)
			asked, isCheck := b.statements[i+1].(*isDefined)
			if !isScan || !isCheck || asked.defined || len(loop.body.statements) == 0 {
				continue
			}
			last := len(loop.body.statements) - 1
			failed, isAssign := loop.body.statements[last].(*assign)
			if isAssign && failed.to == asked.local {
				loop.body.statements = append(loop.body.statements, &leave{blocks: 2, at: failed.at})
			}
		}
	})
}
