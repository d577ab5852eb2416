package topdown

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/policy/rego"
)

// A passage notes which rules partial evaluation passes through, whose bodies may
// hold, and whether it leaves something of them. It is a tracer.
type passage struct {
	calls  map[uint64]*passing
	passed map[*ast.Rule]bool
}

// A passing is a body that is evaluated.
type passing struct {
	within *passing
	leaves bool // something of it
}

func (p *passage) Enabled() bool               { return true }
func (p *passage) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

func (p *passage) TraceEvent(event topdown.Event) {
	switch event.Op {
	case topdown.SaveOp:
		for c := p.call(event); c != nil; c = c.within {
			c.leaves = true
		}
	case topdown.EnterOp:
		p.call(event)
	case topdown.ExitOp:
		if rule, isRule := event.Node.(*ast.Rule); isRule {
			p.passed[rule] = p.passed[rule] || p.call(event).leaves
		}
	}
}

func (p *passage) call(event topdown.Event) *passing {
	c, again := p.calls[event.QueryID]
	if !again {
		c = &passing{within: p.calls[event.ParentID]}
		p.calls[event.QueryID] = c
	}
	return c
}

// through reports whether a conflict may come up by what was left: what is known
// would have failed.
func (p *passage) through(c rego.Conflict) bool {
	leavesFirst, first := p.passed[c[0]]
	leavesSecond, second := p.passed[c[1]]
	return first && second && (leavesFirst || leavesSecond)
}
