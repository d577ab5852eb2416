package closure

import (
	"errors"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/engine/eval/explain"
)

// An observed is the rest of a rule's body from a step on, and the observer who
// sees that it is come to. Only programs that explain have any.
type observed struct {
	rule *explain.Rule
	step int // -1: the whole rule, its arguments included
	then *block
	// yield is what a complete rule assigns, -1 of any other.
	yield local
	// operands find the values of the step's: each makes an answer of the array
	// that holds them. They are no part of the body.
	operands []*block
}

func (*observed) statement() {}

// blocks are those of an observer and what it observes.
func (o *observed) blocks() []*block { return append([]*block{o.then}, o.operands...) }

// observed is the code of an observer.
func (c *coder) observed(o *observed) step {
	then := c.block(o.then)
	seen := &sight{rule: o.rule, step: o.step, from: c.base, to: c.base + c.inside.locals, yield: -1}
	if o.yield >= 0 {
		seen.yield = c.slot(o.yield)
	}
	for _, operand := range o.operands {
		seen.operands = append(seen.operands, c.block(operand))
	}
	return func(m *machine) signal {
		around := m.observer.come(m, seen)
		s := then(m)
		m.observer.leave(m, seen, around, s == goOn)
		return s
	}
}

// A sight is what an observer sees.
type sight struct {
	rule     *explain.Rule
	step     int
	from, to int // the places of the function's locals
	yield    int // the place of what the rule yields, or -1
	operands []step
}

// An observer notes what becomes of the rules.
type observer struct {
	record *explain.Record
	scenes map[*explain.Trial]scene
	inside *sight // what is seen at present
	blind  bool   // values are found, which is no part of the evaluation
	ended  bool   // it is known where the evaluation ended
}

func newObserver(rules *explain.Policy) *observer {
	return &observer{record: rules.NewRecord(), scenes: make(map[*explain.Trial]scene)}
}

// A scene is what a rule's body has found when it came to where it failed.
type scene struct {
	sight  *sight
	locals []*ast.Term
	world  *world
}

// come returns what was seen before.
func (o *observer) come(m *machine, seen *sight) (around *sight) {
	if o.blind {
		return nil
	}
	o.take(m)
	around, o.inside = o.inside, seen
	switch seen.step {
	case -1:
		o.record.Enter(seen.rule)
	case seen.rule.End():
	default:
		if trial := o.record.Trial(seen.rule); trial.Reach(seen.step) {
			o.keep(m, seen, trial)
		}
	}
	return around
}

// keep keeps the scene of a trial.
func (o *observer) keep(m *machine, seen *sight, trial *explain.Trial) {
	o.scenes[trial] = scene{seen, slices.Clone(m.slots[seen.from:seen.to]), m.world}
}

// leave notes what has become of what was seen. At the end of a partial rule it
// does not hold where the key is another than the one that is asked for.
func (o *observer) leave(m *machine, seen, around *sight, holds bool) {
	if o.blind {
		return
	}
	o.take(m)
	o.inside = around
	trial := o.record.Trial(seen.rule)
	if m.err == nil {
		further := false
		switch {
		case seen.step != seen.rule.End():
		case seen.yield >= 0 || holds:
			further = trial.Yield(m.yielded(seen))
		default:
			further = trial.Reach(seen.step)
		}
		if further {
			o.keep(m, seen, trial)
		}
		return
	}
	trial.Cut()
	if fault, isPolicys := errors.AsType[*topdown.Error](m.err); isPolicys && !o.ended && !o.record.Mark(fault.Location) {
		trial.Err(seen.step)
	}
	o.ended = true
}

// yielded is what a complete rule has yielded at its end.
func (m *machine) yielded(seen *sight) ast.Value {
	if seen.yield < 0 || m.slots[seen.yield] == nil {
		return nil
	}
	return m.slots[seen.yield].Value
}

// take notes an error that arose since it was last asked: in what is seen.
func (o *observer) take(m *machine) {
	if m.fault != nil && o.inside != nil {
		o.record.Trial(o.inside.rule).Err(o.inside.step)
	}
	m.fault = nil
}
