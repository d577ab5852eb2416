package closure

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
	"github.com/verdictpdp/verdict/policy/rego"
)

// callBuiltin is the value of a built-in: computed natively where package
// native can, by a stand-in where package rego has put one in, or else by OPA.
func (c *coder) callBuiltin(e callBuiltin) value {
	if isMoment(e) {
		return (*machine).moment
	}
	report := reporter{name: e.name, at: e.at}
	if e.name == ast.Count.Name {
		return c.count(e, report)
	}
	args := c.settledAll(e.args)
	if member := c.memberOr(e); member != nil {
		return member
	}
	if spread := c.spread(e, report); spread != nil {
		return spread
	}
	if f, isNative := native.Lookup(e.name); isNative {
		if combine := c.combine(e, f, report); combine != nil {
			return combine
		}
	}
	compute := func(args []value) value { return c.compute(e, args, report) }
	if recall := c.recall(e, args, compute); recall != nil {
		return recall
	}
	if verify := c.verify(e, args, compute); verify != nil {
		return verify
	}
	if text := c.ofTexts(e, args, compute(args)); text != nil {
		return text
	}
	return compute(args)
}

// compute is the code of a built-in on operands.
func (c *coder) compute(e callBuiltin, args []value, report reporter) value {
	if f, isNative := native.Lookup(e.name); isNative {
		return callNative(f, args, tollOf(e.name), report, c.callOPA(e, args, report))
	}
	for _, s := range rego.StandIns() {
		if s.Decl.Name == e.name {
			if e.name == reachableBuiltin {
				return c.reachable(e, callStandIn(s, args, report))
			}
			return callStandIn(s, args, report)
		}
	}
	return c.callOPA(e, args, report)
}

// spread is the code of a built-in whose last operand is an array written out,
// which is not made where package native can do without; nil for others.
func (c *coder) spread(e callBuiltin, report reporter) value {
	f, isSpread := native.LookupSpread(e.name)
	if !isSpread || len(e.args) == 0 {
		return nil
	}
	list, isLiteral := e.args[len(e.args)-1].(literal)
	if r, isRead := e.args[len(e.args)-1].(read); isRead {
		return c.overMade(e, f, r, report)
	}
	if !isLiteral || list.kind != arrayKind || len(list.values) > maxSpread {
		return nil
	}
	elements := c.settledAll(list.values)
	operand := func(*machine) *ast.Term { return nil }
	if len(e.args) == 2 {
		operand = c.settled(e.args[0])
	}
	first, yields := len(e.args) == 2, spreading(e, f, report)
	return func(m *machine) *ast.Term {
		x := operand(m)
		if x == nil && first {
			return nil
		}
		terms, defined := m.sideBySide(elements)
		if !defined {
			return nil
		}
		return yields(m, x, terms)
	}
}

// spreading is the code of a built-in on the elements of its last operand, once
// those are there. A text that it yields is often one that the machine has come
// across.
func spreading(e callBuiltin, f native.Spread, report reporter) func(m *machine, operand *ast.Term, elements []*ast.Term) *ast.Term {
	toll := tollOf(e.name)
	appends, yieldsText := native.LookupAppend(e.name)
	return func(m *machine, operand *ast.Term, elements []*ast.Term) *ast.Term {
		if !toll.chargeSpread(m, operand, elements) {
			return nil
		}
		if yieldsText {
			text, known := appends(m.line[:0], operand, elements)
			if m.line = text; known {
				return toll.made(m, m.texts.made(text))
			}
		}
		term, err := f(operand, elements)
		if err != nil {
			return report.note(m, err)
		}
		return toll.made(m, term)
	}
}

// overMade is the code of a built-in whose last operand is a local. Where that is
// an array that was just made, as [… | …] is, it is not made OPA's first.
func (c *coder) overMade(e callBuiltin, f native.Spread, list read, report reporter) value {
	args := c.settledAll(e.args)
	whole, _ := native.Lookup(e.name)
	called := callNative(whole, args, tollOf(e.name), report, c.callOPA(e, args, report))
	slot, yields := c.slot(list.from), spreading(e, f, report)
	return func(m *machine) *ast.Term {
		list := m.slots[slot]
		if list == nil {
			return called(m)
		}
		b, isBuilding := list.Value.(*building)
		if !isBuilding || b.kind != arrayKind {
			return called(m)
		}
		var first *ast.Term
		if len(args) == 2 {
			if first = args[0](m); first == nil {
				return nil
			}
		}
		return yields(m, first, b.all())
	}
}

// ofTexts is the code of a built-in of texts that yields one, which is often one
// that the machine has come across; nil for others. Called is the code for
// operands of wrong types.
func (c *coder) ofTexts(e callBuiltin, args []value, called value) value {
	f, isText := native.LookupText(e.name)
	if !isText {
		return nil
	}
	toll := tollOf(e.name)
	first, second := args[0], func(*machine) *ast.Term { return ast.InternedEmptyString }
	if len(args) == 2 {
		second = args[1]
	}
	return func(m *machine) *ast.Term {
		x := first(m)
		if x == nil {
			return nil
		}
		y := second(m)
		if y == nil {
			return nil
		}
		a, isText := x.Value.(ast.String)
		b, areTexts := y.Value.(ast.String)
		if !isText || !areTexts {
			return called(m)
		}
		if !toll.charge(m, operands{x, y}) {
			return nil
		}
		text := f(string(a), string(b))
		if text == string(a) {
			return x
		}
		return toll.made(m, m.texts.part(text))
	}
}

// maxSpread is up to how many elements an array is not made for.
const maxSpread = 8

// count is the length of a collection, which needs not be OPA's for that.
func (c *coder) count(e callBuiltin, report reporter) value {
	of := c.value(e.args[0])
	f, _ := native.Lookup(e.name)
	return func(m *machine) *ast.Term {
		x := of(m)
		if x == nil {
			return nil
		}
		switch x := x.Value.(type) {
		case *building:
			return ast.InternedTerm(x.len())
		case *lazy:
			if x.kind == sentLazy {
				return ast.InternedTerm(x.sentLength())
			}
		}
		if x = settle(m, x); x == nil {
			return nil
		}
		n, err := f.Unary(x)
		if err != nil {
			return report.note(m, err)
		}
		return n
	}
}

// settled is the code of an expression that somebody else is to see.
func (c *coder) settled(e expression) value {
	if l, isLiteral := e.(literal); isLiteral {
		return c.literal(l)
	}
	v := c.value(e)
	switch e := e.(type) {
	case constant, literal, length:
		return v
	case callBuiltin:
		if e.name != reachableBuiltin && combinations[e.name] == nil { // they yield sets in the making
			return v
		}
	}
	return func(m *machine) *ast.Term { return settle(m, v(m)) }
}

// A reporter says of an error where it arose.
type reporter struct {
	name string
	at   *ast.Location
}

// note keeps a built-in's error. The call is undefined, as in OPA's evaluator,
// which goes on as well and fails in the end.
func (r reporter) note(m *machine, err error) *ast.Term {
	var opas *topdown.Error
	switch {
	case errors.As(err, &opas):
		if opas.Location == nil {
			copied := *opas
			copied.Location = r.at
			err = &copied
		}
	default:
		code := topdown.BuiltinErr
		if _, isOperand := errors.AsType[builtins.ErrOperand](err); isOperand {
			code = topdown.TypeErr
		}
		err = (&topdown.Error{Code: code, Message: r.name + ": " + err.Error(), Location: r.at}).Wrap(err)
	}
	if m.fault == nil {
		m.fault = err
	}
	return nil
}

func callNative(f native.Func, args []value, toll *toll, report reporter, opas value) value {
	finish := func(m *machine, term *ast.Term, err error) *ast.Term {
		switch {
		case err == nil:
			return term
		case errors.Is(err, native.ErrUnbounded):
			return opas(m)
		default:
			return report.note(m, err)
		}
	}
	switch {
	case f.Unary != nil:
		a := args[0]
		return func(m *machine) *ast.Term {
			x := a(m)
			if x == nil || !toll.charge(m, operands{x}) {
				return nil
			}
			term, err := f.Unary(x)
			if err != nil {
				return finish(m, term, err)
			}
			return toll.made(m, term)
		}
	case f.Binary != nil:
		a, b := args[0], args[1]
		return func(m *machine) *ast.Term {
			x := a(m)
			if x == nil {
				return nil
			}
			y := b(m)
			if y == nil || !toll.charge(m, operands{x, y}) {
				return nil
			}
			term, err := f.Binary(x, y)
			if err != nil {
				return finish(m, term, err)
			}
			return toll.made(m, term)
		}
	case f.Quaternary != nil:
		return func(m *machine) *ast.Term {
			var terms operands
			for i, arg := range args {
				if terms[i] = arg(m); terms[i] == nil {
					return nil
				}
			}
			if !toll.charge(m, terms) {
				return nil
			}
			term, err := f.Quaternary(terms[0], terms[1], terms[2], terms[3])
			if err != nil {
				return finish(m, term, err)
			}
			return toll.made(m, term)
		}
	default:
		a, b, c := args[0], args[1], args[2]
		return func(m *machine) *ast.Term {
			x := a(m)
			if x == nil {
				return nil
			}
			y := b(m)
			if y == nil {
				return nil
			}
			z := c(m)
			if z == nil || !toll.charge(m, operands{x, y, z}) {
				return nil
			}
			term, err := f.Ternary(x, y, z)
			if err != nil {
				return finish(m, term, err)
			}
			return toll.made(m, term)
		}
	}
}

// predicate is the code of a built-in of which only the truth is asked for; nil
// for any other expression.
func (c *coder) predicate(e expression) step {
	called, isCall := e.(callBuiltin)
	if !isCall {
		return nil
	}
	holds, isPredicate := native.LookupPredicate(called.name)
	if !isPredicate {
		return nil
	}
	if called.name == memberBuiltin {
		if keys, isCall := called.args[1].(callBuiltin); isCall && keys.name == ast.ObjectKeys.Name {
			return c.hasKey(called.args[0], keys)
		}
		return c.member(called)
	}
	a, b := c.settled(called.args[0]), c.settled(called.args[1])
	toll, report := tollOf(called.name), reporter{name: called.name, at: called.at}
	whole := func(m *machine) signal {
		x := a(m)
		if x == nil {
			return m.absent()
		}
		y := b(m)
		if y == nil || !toll.charge(m, operands{x, y}) {
			return m.absent()
		}
		truth, err := holds(x, y)
		if err != nil {
			report.note(m, err)
			return undefined
		}
		if !truth {
			return undefined
		}
		return goOn
	}
	if step := c.withMoment(called, whole); step != nil {
		return step
	}
	return whole
}

// terms are the values of arguments, none where one is undefined.
func terms(m *machine, args []value) []*ast.Term {
	list := make([]*ast.Term, len(args))
	for i, arg := range args {
		if list[i] = arg(m); list[i] == nil {
			return nil
		}
	}
	return list
}

func callStandIn(s rego.StandIn, args []value, report reporter) value {
	return func(m *machine) *ast.Term {
		list := terms(m, args)
		if list == nil {
			return nil
		}
		term, err := s.Call(list, func() bool { return !m.step() })
		switch {
		case errors.Is(err, rego.ErrStopped):
			return nil // the machine says why
		case err != nil:
			code := topdown.BuiltinErr
			if called, is := errors.AsType[*rego.CallError](err); is && called.OfOperand() {
				code = topdown.TypeErr
			}
			return report.note(m, &topdown.Error{Code: code, Message: err.Error()})
		}
		return term
	}
}

// callOPA is a call of OPA's own function. One that may yield several values is
// a relation, which the plan takes for the collection of them.
func (c *coder) callOPA(e callBuiltin, args []value, report reporter) value {
	f := topdown.GetBuiltin(e.name)
	if f == nil {
		message := fmt.Sprintf("built-in %s has no implementation", e.name)
		return func(m *machine) *ast.Term {
			return report.note(m, &topdown.Error{Code: topdown.InternalErr, Message: message})
		}
	}
	toll := tollOf(e.name)
	declared := ast.BuiltinMap[e.name]
	relation := declared != nil && declared.Relation
	void := e.decl.Result() == nil
	return func(m *machine) *ast.Term {
		list := terms(m, args)
		if list == nil && len(args) > 0 || !m.step() {
			return nil
		}
		var on operands
		copy(on[:], list)
		if !toll.charge(m, on) {
			return nil
		}
		var term *ast.Term
		var all []*ast.Term
		bctx := *m.opa()
		bctx.Location = e.at
		err := f(bctx, list, func(t *ast.Term) error {
			term = t
			if relation {
				all = append(all, t)
				if !m.work(1 + pathLength(t)/4) {
					return topdown.Halt{Err: m.err}
				}
			}
			return nil
		})
		switch halted, isHalt := err.(topdown.Halt); {
		case isHalt:
			m.fail(halted.Err)
			return nil
		case err != nil:
			return report.note(m, err)
		case void:
			return ast.InternedTerm(true)
		case relation:
			return ast.ArrayTerm(all...)
		}
		return toll.made(m, term)
	}
}

// pathLength is how long the path is in one of walk's results, each of which has
// a path of its own.
func pathLength(result *ast.Term) int {
	pair, isPair := result.Value.(*ast.Array)
	if !isPair || pair.Len() == 0 {
		return 0
	}
	path, _ := pair.Elem(0).Value.(*ast.Array)
	if path == nil {
		return 0
	}
	return path.Len()
}
