package closure

import "fmt"

// layout gives the locals of all functions their places in a machine. Rego has
// no recursion, so a function is at work once at a time: its locals stand
// behind those of whoever calls it, and need no frame of their own. It returns
// the places and how many there are in all.
func layout(t *tree) (bases map[*function]int, slots int, err error) {
	l := &layouter{bases: make(map[*function]int), open: make(map[*function]bool)}
	if err := l.visit(t.plan, t.locals); err != nil {
		return nil, 0, err
	}
	// A function that several call stands behind the one that needs most.
	order := l.order
	for i := len(order) - 1; i >= 0; i-- {
		f := order[i]
		end := l.bases[f] + f.locals
		slots = max(slots, end)
		for _, callee := range callees(f.blocks()...) {
			l.bases[callee] = max(l.bases[callee], end)
		}
	}
	return l.bases, max(slots, t.locals), nil
}

type layouter struct {
	bases map[*function]int
	open  map[*function]bool
	order []*function // callees first
}

func (l *layouter) visit(b *block, base int) error {
	for _, f := range callees(b) {
		l.bases[f] = base
		if err := l.enter(f); err != nil {
			return err
		}
	}
	return nil
}

func (l *layouter) enter(f *function) error {
	if done, seen := l.open[f]; seen {
		if done {
			return fmt.Errorf("function %s calls itself", f.name)
		}
		return nil
	}
	l.open[f] = true
	for _, callee := range callees(f.blocks()...) {
		if err := l.enter(callee); err != nil {
			return err
		}
	}
	l.open[f] = false
	l.order = append(l.order, f)
	return nil
}

// callees are the functions that blocks call, each as often as it is.
func callees(blocks ...*block) []*function {
	var found []*function
	for _, b := range blocks {
		everyExpression(b, func(e expression) {
			switch e := e.(type) {
			case call:
				found = append(found, e.function)
			case callDynamic:
				for _, f := range e.group.byPath {
					found = append(found, f)
				}
			}
		})
	}
	return found
}
