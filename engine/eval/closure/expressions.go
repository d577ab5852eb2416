package closure

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// value is the code of an expression: one case for each kind.
func (c *coder) value(e expression) value {
	switch e := e.(type) {
	case read:
		slot := c.slot(e.from)
		return func(m *machine) *ast.Term { return m.slots[slot] }
	case constant:
		term := e.term
		return func(*machine) *ast.Term { return term }
	case nothing:
		return func(*machine) *ast.Term { return nil }
	case inputDocument:
		return func(m *machine) *ast.Term { return m.world.inputTerm(m) }
	case dataDocument:
		return func(m *machine) *ast.Term { return m.world.dataTerm(m) }
	case dot:
		return c.dot(e)
	case apart:
		return c.value(e.of)
	case length:
		return c.length(e)
	case literal:
		return c.making(e)
	case call:
		return c.call(e)
	case callBuiltin:
		return c.callBuiltin(e)
	case callDynamic:
		return c.callDynamic(e)
	default:
		panic(fmt.Sprintf("an expression of type %T has no code", e))
	}
}

func (c *coder) length(e length) value {
	of := c.value(e.of)
	return func(m *machine) *ast.Term {
		collection := of(m)
		if collection == nil {
			return nil
		}
		n, isCollection := lengthOf(m, collection)
		if !isCollection {
			return nil
		}
		return ast.InternedTerm(n)
	}
}

// call is the value of a function. What one without parameters yields is
// remembered for as long as the documents stay the same.
func (c *coder) call(e call) value {
	r := c.routines[e.function]
	if len(e.args) == 0 {
		return r.remembered
	}
	if e.function.rests != nil {
		return c.callOnDemand(e)
	}
	base := c.bases[e.function]
	params := make([]int, len(e.args))
	args := make([]value, len(e.args))
	for i, arg := range e.args {
		params[i], args[i] = base+int(e.function.params[i]), c.value(arg)
	}
	if c.often[e.function] {
		return r.asked(params, args)
	}
	if len(args) == 1 {
		param, arg := params[0], args[0]
		return func(m *machine) *ast.Term {
			term := arg(m)
			if term == nil {
				return nil
			}
			m.slots[param] = term
			return r.run(m)
		}
	}
	return func(m *machine) *ast.Term {
		// An argument may call the same function.
		var few [8]*ast.Term
		terms := few[:0]
		for _, arg := range args {
			term := arg(m)
			if term == nil {
				return nil
			}
			terms = append(terms, term)
		}
		for i, term := range terms {
			m.slots[params[i]] = term
		}
		return r.run(m)
	}
}

// asked is the value of a function whose answers are remembered. See oftenAsked.
func (r *routine) asked(params []int, args []value) value {
	return func(m *machine) *ast.Term {
		var room [maxAnswered]*ast.Term
		terms := room[:len(args)]
		for i, arg := range args {
			if terms[i] = arg(m); terms[i] == nil {
				return nil
			}
		}
		w := m.world
		if term, known := w.answered(r, terms, identical); known {
			if !m.step() {
				return nil
			}
			return term
		}
		for i, term := range terms {
			m.slots[params[i]] = term
		}
		term := r.run(m)
		if m.err == nil {
			w.remember(r, terms, term)
		}
		return term
	}
}

// remembered is the value of a function without parameters.
func (r *routine) remembered(m *machine) *ast.Term {
	if known := &m.world.yielded[r.memo]; known.known {
		return known.term
	}
	w := m.world
	term := r.run(m)
	if m.err == nil {
		w.yielded[r.memo] = yielded{true, term}
	}
	return term
}

func (c *coder) callDynamic(e callDynamic) value {
	path := make([]value, len(e.path))
	for i, part := range e.path {
		path[i] = c.value(part)
	}
	byPath := make(map[string]*routine)
	for name, f := range e.group.byPath {
		byPath[name] = c.routines[f]
	}
	return func(m *machine) *ast.Term {
		var name strings.Builder
		for i, part := range path {
			term := part(m)
			if term == nil {
				return nil
			}
			text, isText := term.Value.(ast.String)
			if !isText {
				return nil
			}
			if i > 0 {
				name.WriteByte(0)
			}
			name.WriteString(string(text))
		}
		if r := byPath[name.String()]; r != nil {
			return r.remembered(m)
		}
		return nil
	}
}

// callOnDemand is the value of a partial rule at some keys. Where the rule is
// known as a whole already, it is looked up there; otherwise the last answers
// are remembered, for as long as the documents stay the same.
func (c *coder) callOnDemand(e call) value {
	whole, r := c.routines[e.function.rests], c.routines[e.function]
	base := c.bases[e.function]
	args := c.settledAll(e.args)
	return func(m *machine) *ast.Term {
		var room [4]*ast.Term
		keys := room[:0]
		for _, arg := range args {
			key := arg(m)
			if key == nil || !m.pay(m.weigh(key.Value)) {
				return nil
			}
			keys = append(keys, key)
		}
		if whole != nil && whole.memo >= 0 && m.world.yielded[whole.memo].known {
			at := m.world.yielded[whole.memo].term
			for _, key := range keys {
				if at == nil {
					return nil
				}
				at = lookUp(m, at, key)
			}
			return at
		}
		w := m.world
		if term, known := w.answered(r, keys, native.Equal); known {
			return term
		}
		for i, param := range e.function.params {
			m.slots[base+int(param)] = keys[i]
		}
		term := r.run(m)
		if m.err == nil {
			w.remember(r, keys, term)
		}
		return term
	}
}
