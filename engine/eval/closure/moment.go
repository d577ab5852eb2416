package closure

import (
	"cmp"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"
)

// The time of a decision is mostly compared with a time that the directory has,
// for which it needs not be made a term.

// isMoment reports whether an expression is the time of the decision.
func isMoment(e expression) bool {
	called, isCall := e.(callBuiltin)
	return isCall && called.name == ast.NowNanos.Name
}

// moment is the time of the decision as policies see it.
func (m *machine) moment() *ast.Term {
	if m.momentTerm == nil {
		m.momentTerm = integer(m.now.UnixNano())
	}
	return m.momentTerm
}

// orders are the comparisons that hold where the first operand is before, equal to
// or after the second.
var orders = map[string]func(order int) bool{
	ast.LessThan.Name:      func(order int) bool { return order < 0 },
	ast.LessThanEq.Name:    func(order int) bool { return order <= 0 },
	ast.GreaterThan.Name:   func(order int) bool { return order > 0 },
	ast.GreaterThanEq.Name: func(order int) bool { return order >= 0 },
}

// withMoment is the code of a comparison with the time of the decision; nil for
// any other. Whole is that of all values, for what is no integer.
func (c *coder) withMoment(e callBuiltin, whole step) step {
	holds := orders[e.name]
	if holds == nil || isMoment(e.args[0]) == isMoment(e.args[1]) {
		return nil
	}
	sign, other := 1, e.args[1]
	if isMoment(other) {
		sign, other = -1, e.args[0]
	}
	v := c.value(other)
	return func(m *machine) signal {
		term := v(m)
		if term == nil {
			return m.absent()
		}
		number, isNumber := term.Value.(ast.Number)
		if !isNumber {
			return whole(m)
		}
		nanos, err := strconv.ParseInt(string(number), 10, 64)
		if err != nil {
			return whole(m)
		}
		if !holds(sign * cmp.Compare(m.now.UnixNano(), nanos)) {
			return undefined
		}
		return goOn
	}
}
