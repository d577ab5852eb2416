package closure

import "fmt"

// A subject is what conditions are about: where a value comes from, as far as that
// can be told before a function's bodies run. It is a path in the input, in the
// data or in a parameter, of which a key is a constant or another subject.
type subject struct {
	path   expression
	key    string // tells subjects apart
	tabled bool   // a table may look at it: a path of constants, and not in the data
}

// A tracer follows the locals of a body to where their values come from.
type tracer struct{ locals map[local]subject }

func newTracer(f *function) *tracer {
	t := &tracer{make(map[local]subject)}
	for _, param := range f.params {
		t.locals[param] = subject{read{param}, fmt.Sprintf("local %d", param), true}
	}
	return t
}

// note takes note of what a statement sets.
func (t *tracer) note(s statement) {
	var from subject
	a, isAssign := s.(*assign)
	if isAssign {
		from, isAssign = t.trace(a.value)
	}
	everyStatement(&block{[]statement{s}}, func(s statement) {
		for _, l := range sets(s) {
			delete(t.locals, l)
		}
	})
	if isAssign {
		t.locals[a.to] = from
	}
}

// trace is where the value of an expression comes from; false where that cannot
// be told.
func (t *tracer) trace(e expression) (subject, bool) {
	switch e := e.(type) {
	case read:
		from, known := t.locals[e.from]
		return from, known
	case inputDocument:
		return subject{e, "input", true}, true
	case dataDocument:
		return subject{e, "data", false}, true
	case apart:
		of, known := t.trace(e.of)
		return subject{apart{of.path}, of.key + "/", false}, known
	case dot:
		of, known := t.trace(e.of)
		if !known {
			return subject{}, false
		}
		if c, isConstant := e.key.(constant); isConstant {
			return subject{dot{of.path, c, e.at}, of.key + "[" + c.term.String() + "]", of.tabled}, true
		}
		key, known := t.trace(e.key)
		return subject{dot{of.path, key.path, e.at}, of.key + "[" + key.key + "]", false}, known
	case call:
		if path := namedPath(e.function); path != nil {
			named, known := new(tracer).trace(path)
			named.tabled = false // OPA's index does not look behind names
			return named, known
		}
	}
	return subject{}, false
}

// namedPath is what a function without parameters yields that does nothing but
// name it; nil for others.
func namedPath(f *function) expression {
	if len(f.params) > 0 || f.otherwise != nil || !hasOneBody(f, false) || len(f.rules[0].bodies[0].statements) != 1 {
		return nil
	}
	yields, is := f.rules[0].bodies[0].statements[0].(*assignOnce)
	if !is {
		return nil
	}
	return yields.value
}
