package closure

import (
	"context"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/cache"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// A signal says how many blocks a statement ends, counted from the innermost
// one that it stands in.
type signal int

const (
	goOn      signal = 0 // the statement holds
	undefined signal = 1 // it does not, which ends its block
	// leaveBody ends all blocks of a rule's body: nothing can change any more.
	leaveBody signal = 1 << 20
	// halt ends the evaluation, whose error the machine has.
	halt signal = 1 << 21
)

// outward is a signal as the block around sees it.
func (s signal) outward() signal {
	if s <= undefined || s >= leaveBody {
		return s
	}
	return s - 1
}

// past is a signal of a block as what stands behind the block sees it, which goes on
// where the block merely did not hold.
func (s signal) past() signal {
	if s <= undefined {
		return goOn
	}
	return s.outward()
}

// negated is a signal of a block that is not to hold.
func (s signal) negated() signal {
	switch s {
	case goOn:
		return undefined
	case undefined:
		return goOn
	default:
		return s.outward()
	}
}

// The code of a program is closures over places in a machine.
type (
	// A step is a statement.
	step func(*machine) signal
	// A value is an expression: nil where it is undefined, or where the machine
	// has an error.
	value func(*machine) *ast.Term
)

// A machine runs one program on one input at a time. It belongs to the
// goroutine of the evaluation, and is used again.
type machine struct {
	slots []*ast.Term // the locals of all functions that may be at work
	world *world      // the documents, as with has left them
	plain world       // the documents of the evaluation

	ctx        context.Context
	directory  eval.Directory
	request    *authz.Request
	document   authz.Object // what input is where there is no request
	shared     *eval.Parts
	parts      []part
	static     *ast.Term // an object
	now        time.Time
	momentTerm *ast.Term // see moment
	known      documents
	buildings  pool[building]
	walks      walks
	operands   []*ast.Term          // of what is being made, see sideBySide
	passed     [maxPassed]*ast.Term // to a call that is remembered
	weigher    *weigher

	err   error // ends the evaluation at once
	fault error // of the first built-in that erred: the evaluation's, if nothing else is
	// strict is whether a built-in's error is the evaluation's.
	strict bool

	limit     int64 // of steps
	untilLook int   // steps until the next look at the clock and the limit
	steps     int64 // left after those; -1 where the next look is beyond the limit

	patterns   cache.InterQueryValueCache
	signatures *signatures
	builtins   *topdown.BuiltinContext // see opa
	answers    []*ast.Term             // what the plan has come to, see result
	texts      *texts
	line       []byte // of a text that is being made

	candidates []int // of the filters that are at work, see filtered

	observer *observer // of a program that explains
	meter    *meter    // of a program that is profiled

	walkers []*walker // by depth
	depth   int       // of loops over objects
}

// stepsPerLook is how many steps go by between two looks at the context: some
// ten microseconds.
const stepsPerLook = 256

// step counts work that a policy can repeat: a call, an element of a
// collection, an addition to one. It reports whether to go on.
func (m *machine) step() bool {
	m.untilLook--
	return m.untilLook > 0 || m.look()
}

// work counts so many steps at once.
func (m *machine) work(steps int) bool {
	m.untilLook -= steps
	return m.untilLook > 0 || m.look()
}

// allot sets the next look, with so many steps left: the first step beyond the
// limit is one.
func (m *machine) allot(left int64) {
	m.untilLook = stepsPerLook
	if left < stepsPerLook {
		m.untilLook = int(left) + 1
	}
	m.steps = left - int64(m.untilLook)
}

// look ends the evaluation if its time or its steps are over.
func (m *machine) look() bool {
	if m.err != nil {
		return false
	}
	left := m.steps + int64(m.untilLook)
	if left < 0 {
		m.err = authz.Exceeded(authz.StepsLimit, "the policy takes more than the %d steps that one decision may: let it read by id instead of iterating, or raise the limit", m.limit)
		return false
	}
	m.allot(left)
	if err := m.ctx.Err(); err != nil {
		m.err = err
		return false
	}
	return true
}

// absent is what a step returns whose value is not there: the reason may be an
// error.
func (m *machine) absent() signal {
	if m.err != nil {
		return halt
	}
	return undefined
}

// fail ends the evaluation.
func (m *machine) fail(err error) {
	if m.err == nil {
		m.err = err
	}
}
