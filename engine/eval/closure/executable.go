package closure

import (
	"context"
	"crypto/rand"
	"hash/maphash"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"
	"github.com/open-policy-agent/opa/v1/topdown/cache"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// An executable is a plan ready to run. It is immutable but for its idle
// machines, and safe for use by many goroutines at once.
type executable struct {
	plan     step
	routines map[*function]*routine
	slots    int // places for locals
	memos    int // functions whose values are remembered
	parts    int // paths into a request that are made once
	patterns cache.InterQueryValueCache
	// signatures are remembered by the variants of a program together.
	signatures *signatures
	// idle are machines to be used again, by the variants of a program as well.
	idle *sync.Pool
}

// A source is what an executable is made of.
type source struct {
	plan   *ir.Policy
	static *ast.Term // the static data, an object
	// adapt changes the tree before anything else does; nil does not.
	adapt func(*tree) error
	// off are passes that are left out, which tests do.
	off pass
	// rest is called often while it is compiled, for others to have their turn; nil is not.
	rest func()
}

func (s source) pause() {
	if s.rest != nil {
		s.rest()
	}
}

// newExecutable compiles a plan.
func newExecutable(s source) (*executable, error) {
	x, _, err := compile(s)
	return x, err
}

// compile compiles a plan, and returns the tree as well, which must not be
// changed.
func compile(s source) (*executable, *tree, error) {
	t, err := s.tree()
	if err != nil {
		return nil, nil, err
	}
	x, err := s.encode(t)
	if err != nil {
		return nil, nil, err
	}
	x.patterns = newPatterns()
	return x, t, nil
}

// tree is the tree of the plan, as the passes leave it.
func (s source) tree() (*tree, error) {
	t, err := decode(s.plan)
	if err == nil && s.adapt != nil {
		err = s.adapt(t)
	}
	s.pause()
	if err == nil {
		err = s.optimise(t)
	}
	return t, err
}

// A run is what an executable runs on.
type run struct {
	ctx       context.Context
	directory eval.Directory
	static    *ast.Term
	// The document input is a request, or something else that is sent, or any value
	// where there is neither; nil is undefined.
	request  *authz.Request
	document authz.Object
	shared   *eval.Parts
	input    *ast.Term
	data     *ast.Term // in the place of the static data and the directory
	now      time.Time
	steps    int64
	lenient  bool // a built-in's error makes its call undefined
}

// machine is a machine ready to run. It goes back by release.
func (x *executable) machine(r *run) *machine {
	m, _ := x.idle.Get().(*machine)
	if m == nil {
		m = &machine{texts: &texts{seed: maphash.MakeSeed()}}
	}
	m.slots = sized(m.slots, x.slots)
	m.parts = sized(m.parts, x.parts)
	m.plain.yielded = sized(m.plain.yielded, x.memos)
	m.patterns, m.signatures = x.patterns, x.signatures
	m.ctx, m.directory, m.static, m.now = r.ctx, r.directory, r.static, r.now
	m.request, m.document, m.shared = r.request, r.document, r.shared
	m.plain.input, m.plain.isRequest, m.plain.data = r.input, r.request != nil, r.data
	m.world = &m.plain
	m.strict = !r.lenient
	m.limit = r.steps
	m.allot(r.steps)
	if r.document != nil {
		m.plain.input = m.asSent(r.document)
	}
	return m
}

// sized is a list of so many zero values, made of one that has been cleared.
func sized[T any](list []T, size int) []T {
	if cap(list) < size {
		return make([]T, size)
	}
	return list[:size]
}

// opa is what OPA's built-ins are told of an evaluation.
func (m *machine) opa() *topdown.BuiltinContext {
	if m.builtins == nil {
		m.builtins = &topdown.BuiltinContext{
			Context:                     m.ctx,
			Seed:                        rand.Reader,
			Time:                        m.moment(),
			Cancel:                      (*stopper)(m),
			Cache:                       make(builtins.Cache),
			InterQueryBuiltinValueCache: m.patterns,
			Metrics:                     metrics.NoOp(),
		}
	}
	return m.builtins
}

// release lets go of all that a machine holds.
func (x *executable) release(m *machine) {
	clear(m.slots)
	clear(m.parts)
	clear(m.plain.yielded)
	if len(m.plain.answers) > 0 {
		clear(m.plain.answers)
		m.plain.answers, m.plain.oldest = m.plain.answers[:0], 0
	}
	m.plain.input, m.plain.data, m.world = nil, nil, nil
	m.ctx, m.directory, m.request, m.document, m.shared = nil, nil, nil, nil, nil
	m.known.forget()
	m.buildings.forget((*building).forget)
	m.walks.forget()
	clear(m.operands[:cap(m.operands)])
	clear(m.passed[:])
	if cap(m.line) > maxLine {
		m.line = nil
	}
	if m.candidates = m.candidates[:0]; cap(m.candidates) > maxKept {
		m.candidates = nil
	}
	m.momentTerm, m.err, m.fault, m.builtins, m.answers, m.depth = nil, nil, nil, nil, nil, 0
	x.idle.Put(m)
}

// maxLine is how many bytes are kept for the next text that is made.
const maxLine = 4 << 10

// run runs the plan to its end.
func (x *executable) run(m *machine) error {
	x.plan(m)
	switch {
	case m.err != nil:
		return m.err
	case m.fault != nil && m.strict:
		return m.fault
	default:
		return m.ctx.Err() // an answer may come after the end
	}
}

// A stopper tells OPA's built-ins when to stop.
type stopper machine

// Cancelled reports whether the evaluation is over.
func (s *stopper) Cancelled() bool { return !(*machine)(s).step() }

// Cancel does nothing: it is the context that ends an evaluation.
func (*stopper) Cancel() {}
