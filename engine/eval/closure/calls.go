package closure

import "slices"

// inlineCalls puts the body of a rule in the place of its call, where it is
// called in one place and has one body: most rules of a policy are names for a
// condition. The call must be the first thing that its statement evaluates, and
// be evaluated no more than once for each time that its function is: what a
// rule yields is otherwise remembered, and in a loop it would not be.
func inlineCalls(t *tree) {
	foldAliases(t)
	calls := make(map[*function]int)
	count := func(blocks ...*block) {
		for _, f := range callees(blocks...) {
			calls[f]++
		}
	}
	for _, f := range t.functions {
		count(f.blocks()...)
	}
	count(t.plan)
	i := &callInliner{calls: calls, gone: make(map[*function]bool), done: make(map[*function]bool)}
	for _, f := range t.functions {
		i.function(f)
	}
	i.block(t.plan, &t.locals)
	t.functions = slices.DeleteFunc(t.functions, func(f *function) bool { return i.gone[f] })
}

// foldAliases puts the rule that another is but a name for in the place of its
// calls.
func foldAliases(t *tree) {
	by := make(map[*function]*function)
	for _, f := range t.functions {
		if len(f.params) > 0 || f.otherwise != nil || !hasOneBody(f, false) || len(f.rules[0].bodies[0].statements) > 1 {
			continue
		}
		same, isCall := f.rules[0].bodies[0].statements[0].(*assignOnce).value.(call)
		if isCall && len(same.args) == 0 {
			by[f] = same.function
		}
	}
	var visit func(e expression) expression
	visit = func(e expression) expression {
		if called, isCall := e.(call); isCall && len(called.args) == 0 {
			for by[called.function] != nil {
				called.function = by[called.function]
			}
			e = called
		}
		return eachPart(e, visit)
	}
	t.eachBlock(func(b *block) { everyOperand(b, visit) })
}

type callInliner struct {
	calls      map[*function]int
	gone, done map[*function]bool
}

// function inlines what a function calls, the functions that it calls first.
func (i *callInliner) function(f *function) {
	if i.done[f] {
		return
	}
	i.done[f] = true
	for _, callee := range callees(f.blocks()...) {
		i.function(callee)
	}
	if len(f.params) > 0 {
		return // it may be called more than once
	}
	for _, b := range f.blocks() {
		i.block(b, &f.locals)
	}
}

func (i *callInliner) block(b *block, locals *int) {
	var out []statement
	for _, s := range b.statements {
		switch s := s.(type) {
		case *group:
			for _, nested := range s.blocks {
				i.block(nested, locals)
			}
		case *negate:
			i.block(s.body, locals)
		default:
			out = append(out, i.statement(s, locals)...)
		}
		out = append(out, s)
	}
	b.statements = out
}

// statement puts the value of the body that a statement calls first into the
// statement, and returns what has to go before it.
func (i *callInliner) statement(s statement, locals *int) []statement {
	called, isCall := first(s).(call)
	if !isCall || len(called.args) > 0 || i.calls[called.function] != 1 {
		return nil
	}
	f := called.function
	if !hasOneBody(f, asksTruth(s)) {
		return nil
	}
	i.gone[f] = true
	body := renumbered(f.rules[0].bodies[0], local(*locals))
	*locals += f.locals
	last := len(body.statements) - 1
	value := body.statements[last].(*assignOnce).value
	eachOperand(s, func(e expression) expression { return withValue(e, f, value) })
	return body.statements[:last]
}

// withValue is an expression with another in the place of a call.
func withValue(e expression, f *function, by expression) expression {
	if called, isCall := e.(call); isCall && called.function == f {
		return by
	}
	return eachPart(e, func(part expression) expression { return withValue(part, f, by) })
}

// first is what a statement evaluates first, nil where it is a value at hand.
func first(s statement) (found expression) {
	other := false
	eachOperand(s, func(e expression) expression {
		inOrder(e, func(part expression) {
			if !other && !isLeaf(part) {
				found, other = part, true
			}
		})
		return e
	})
	return found
}

// asksTruth reports whether a statement asks if a call is true, for which false
// is as good as undefined.
func asksTruth(s statement) bool {
	d, is := s.(*differ)
	if !is || !isFalse(d.b) {
		return false
	}
	_, isCall := d.a.(call)
	return isCall
}

// hasOneBody reports whether a function is one body that ends with what it
// yields.
func hasOneBody(f *function, truth bool) bool {
	if f.kind != complete || len(f.rules) != 1 || len(f.rules[0].bodies) != 1 {
		return false
	}
	if f.otherwise != nil {
		k, isConstant := yieldOf(f.otherwise, f.result).(constant)
		if !truth || !isConstant || !isFalse(k) {
			return false
		}
	}
	body := f.rules[0].bodies[0]
	last := len(body.statements) - 1
	if last < 0 {
		return false
	}
	if yields, is := body.statements[last].(*assignOnce); !is || yields.to != f.result {
		return false
	}
	used := usageOf(body)
	return used.set[f.result] == 1 && used.read[f.result] == 0 && !used.asked[f.result]
}

// renumbered is a body with all locals moved up by so many.
func renumbered(b *block, by local) *block {
	b = copyOf(b)
	renumber(b, func(l local) local { return l + by })
	return b
}
