package closure

import "slices"

// inline makes expressions of chains of statements: what is set once, read
// once and not earlier than it was, is evaluated where it is read. Nothing that
// may err is moved over something that may not hold or may err itself, so that
// no error is found or missed that the plan would not find or miss.
func inline(b *block, fixed map[local]bool) {
	foldCopies(b, fixed)
	used := usageOf(b)
	once := func(l local) bool { return !fixed[l] && used.set[l] == 1 && used.read[l] == 1 && !used.asked[l] }
	everyBlock(b, func(b *block) {
		var out []statement
		for _, s := range b.statements {
			out = pull(out, s, once)
			if k, isKeep := s.(*keep); isKeep && !isLeaf(k.value) {
				s = &assign{to: k.to, value: k.value} // what was assigned had to be defined
			}
			out = append(out, s)
		}
		b.statements = out
	})
}

// pull moves the assignments that a statement reads out of those before it and
// into the statement.
func pull(before []statement, s statement, once func(local) bool) []statement {
	// The operands are gone through from the last to the first, as what was
	// assigned last is evaluated last. What stands behind something that may err
	// stays before it, and so does what may err itself and stands behind something
	// that may be undefined.
	var reads []local
	behind := make(map[local]bool) // something that may be undefined
	loud, partial := false, false
	eachOperand(s, func(e expression) expression {
		inOrder(e, func(part expression) {
			if r, isRead := part.(read); isRead && !loud && once(r.from) {
				reads = append(reads, r.from)
				behind[r.from] = partial
			}
			loud = loud || !quietItself(part)
			partial = partial || !isLeaf(part)
		})
		return e
	})
	by := make(map[local]expression)
	for i := len(reads) - 1; i >= 0; i-- {
		at := found(before, reads[i])
		if at < 0 || behind[reads[i]] && !quiet(before[at].(*assign).value) {
			continue
		}
		by[reads[i]] = before[at].(*assign).value
		before = append(before[:at:at], before[at+1:]...)
	}
	if len(by) > 0 {
		eachOperand(s, func(e expression) expression {
			return inPlaceOfReads(e, func(l local) expression { return by[l] })
		})
	}
	return before
}

// found is where a local is assigned that may be moved to the end of
// statements, or -1.
func found(statements []statement, l local) int {
	at := slices.IndexFunc(statements, func(s statement) bool {
		a, isAssign := s.(*assign)
		return isAssign && a.to == l
	})
	switch {
	case at < 0 || at == len(statements)-1:
		return at
	case !quiet(statements[at].(*assign).value):
		return -1
	}
	for _, s := range statements[at+1:] {
		if a, isAssign := s.(*assign); !isAssign || !quiet(a.value) {
			return -1
		}
	}
	return at
}

func isLeaf(e expression) bool {
	switch e.(type) {
	case read, constant, inputDocument, dataDocument:
		return true
	default:
		return false
	}
}

// inOrder calls visit with an expression and all parts of it, in the order in
// which they are evaluated.
func inOrder(e expression, visit func(expression)) {
	eachPart(e, func(part expression) expression {
		inOrder(part, visit)
		return part
	})
	visit(e)
}

// quiet reports whether evaluating an expression can neither err nor take long.
func quiet(e expression) bool {
	all := true
	inOrder(e, func(part expression) { all = all && quietItself(part) })
	return all
}

// quietItself is quiet for an expression without its parts.
func quietItself(e expression) bool {
	switch e := e.(type) {
	case read, constant, nothing, inputDocument, dataDocument, dot, apart, length, literal:
		return true
	case callBuiltin:
		return quietBuiltins[e.name]
	default:
		return false
	}
}

// quietBuiltins are built-ins without errors.
var quietBuiltins = map[string]bool{
	"equal": true, "neq": true, "lt": true, "lte": true, "gt": true, "gte": true, "time.now_ns": true,
}

// dropKeys lets go of the keys of scans that nobody reads.
func dropKeys(b *block) {
	used := usageOf(b)
	everyStatement(b, func(s statement) {
		if s, isScan := s.(*scan); isScan && s.key != none && used.idle(s.key) {
			s.key = none
		}
	})
}

// foldCopies puts a local in the place of its copies, and the time of the decision
// in the place of its names.
func foldCopies(b *block, fixed map[local]bool) {
	used := usageOf(b)
	by := make(map[local]expression)
	final := func(e expression) expression {
		for {
			r, isRead := e.(read)
			if !isRead {
				return e
			}
			next, replaced := by[r.from]
			if !replaced {
				return e
			}
			e = next
		}
	}
	everyBlock(b, func(b *block) {
		kept := b.statements[:0]
		for _, s := range b.statements {
			to, value := copied(s)
			if value != nil && !fixed[to] && used.set[to] == 1 && !used.asked[to] && settled(value, fixed, used) {
				by[to] = value
				continue
			}
			kept = append(kept, s)
		}
		b.statements = kept
	})
	for l := range by {
		by[l] = final(by[l])
	}
	substitute(b, by)
}

// copied is the local that a statement sets, and what to; nil where it may not hold
// or does more.
func copied(s statement) (to local, value expression) {
	switch s := s.(type) {
	case *keep:
		return s.to, s.value
	case *assign:
		if isMoment(s.value) {
			return s.to, s.value
		}
	}
	return none, nil
}

// settled reports whether an expression is a local that is set once, a parameter, a
// constant or the time of the decision. The documents are not: a with may stand between.
func settled(e expression, fixed map[local]bool, used usage) bool {
	switch e := e.(type) {
	case read:
		return used.set[e.from] == 0 && fixed[e.from] || used.set[e.from] == 1 && !fixed[e.from]
	case constant:
		return true
	default:
		return isMoment(e)
	}
}
