package topdown

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/builtins"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Bounds of an explanation. What goes beyond is left out.
const (
	maxRules     = 1_000 // rules
	maxFacts     = 1_000 // entities read
	maxExprBytes = 300   // bytes of an expression's text

	maxOpen = 1 << 16 // bodies whose rule is remembered
)

// A tracer notes what becomes of each rule. It implements topdown.QueryTracer.
type tracer struct {
	rules   []*trial
	byRule  map[*ast.Rule]*trial
	open    map[uint64]*trial // by the query that evaluates the rule's body
	drawn   builtins.NDBCache // what the network and chance have yielded
	noIndex bool
}

// A trial is a rule that was tried, however often.
type trial struct {
	rule   *ast.Rule
	held   bool
	erred  bool
	failed *ast.Expr // the last of its expressions that did not hold, or the one that erred
}

func newTracer() *tracer {
	return &tracer{byRule: make(map[*ast.Rule]*trial), open: make(map[uint64]*trial), drawn: builtins.NDBCache{}}
}

// unindexed is a tracer that sees the rules which the index would pass over. What
// t's run has drawn by chance or asked over the network is not drawn or asked
// again.
func (t *tracer) unindexed() *tracer {
	next := newTracer()
	next.drawn, next.noIndex = t.drawn, true
	return next
}

// watch runs a query under the tracer, if there is one. OPA evaluates to the
// end after a built-in's error and takes the call for undefined; a strict query
// then fails with the first. Watched, it fails with the same, and all of them
// mark the rules that they arose in.
func (t *tracer) watch(query *topdown.Query, run func(*topdown.Query) (eval.Yield, error)) (eval.Yield, error) {
	if t == nil {
		return run(query)
	}
	var faults []topdown.Error
	yield, err := run(query.WithQueryTracer(t).WithIndexing(!t.noIndex).WithNDBuiltinCache(t.drawn).
		WithStrictBuiltinErrors(false).WithBuiltinErrorList(&faults))
	for i := range faults {
		t.mark(faults[i].Location)
	}
	if fault, ok := errors.AsType[*topdown.Error](err); ok {
		t.mark(fault.Location)
	}
	t.spread()
	if len(faults) > 0 {
		err = &faults[0]
	}
	return yield, err
}

// Enabled is true: the tracer is made when it is asked for.
func (*tracer) Enabled() bool { return true }

// Config asks for no variables.
func (*tracer) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent notes that a rule was entered, held, or failed at an expression.
// Expressions of inner queries, such as those of a comprehension or under not,
// may fail in a body that holds; they are passed over.
func (t *tracer) TraceEvent(event topdown.Event) {
	switch node := event.Node.(type) {
	case *ast.Rule:
		switch event.Op {
		case topdown.EnterOp:
			t.enter(node, event.QueryID)
		case topdown.ExitOp:
			if tried := t.byRule[node]; tried != nil {
				tried.held = true
			}
		}
	case *ast.Expr:
		if event.Op == topdown.FailOp {
			if tried := t.open[event.QueryID]; tried != nil {
				tried.failed = node
			}
		}
	}
}

func (t *tracer) enter(rule *ast.Rule, query uint64) {
	if rule.Default {
		return
	}
	tried := t.byRule[rule]
	if tried == nil {
		if len(t.rules) == maxRules {
			return
		}
		tried = &trial{rule: rule}
		t.rules = append(t.rules, tried)
		t.byRule[rule] = tried
	}
	if len(t.open) == maxOpen {
		clear(t.open)
	}
	t.open[query] = tried
}

// mark notes that an error arose at a place.
func (t *tracer) mark(at *ast.Location) {
	if at == nil {
		return
	}
	for _, tried := range t.rules {
		if tried.rule.Location.Compare(at) == 0 {
			tried.erred = true
		}
		note := func(expr *ast.Expr) bool {
			if expr.Location.Compare(at) == 0 {
				tried.erred, tried.failed = true, expr
			}
			return false
		}
		ast.WalkExprs(tried.rule.Head, note)
		ast.WalkExprs(tried.rule.Body, note)
	}
}

// spread notes that rules which hold do so on what erred. A rule that holds has
// gone through all of its body; one that failed may not have come to it.
func (t *tracer) spread() {
	for spread := slices.ContainsFunc(t.rules, func(tried *trial) bool { return tried.erred }); spread; {
		spread = false
		for _, tried := range t.rules {
			if tried.held && !tried.erred && slices.ContainsFunc(t.rules, func(other *trial) bool { return other.erred && tried.reads(other) }) {
				tried.erred, spread = true, true
			}
		}
	}
}

// reads reports whether a rule asks for what another yields.
func (t *trial) reads(other *trial) (found bool) {
	yields := other.rule.Ref().GroundPrefix()
	note := func(ref ast.Ref) bool {
		found = found || ref.HasPrefix(yields) || yields.HasPrefix(ref.ConstantPrefix())
		return found
	}
	ast.WalkRefs(t.rule.Head, note)
	ast.WalkRefs(t.rule.Body, note)
	return found
}

// outcomes are the rules that either run tried, in the order of the one that
// went beyond deciding. What became of a rule is what did in the deciding run,
// if that tried it.
func (p *program) outcomes(deciding, beyond *tracer) []authz.RuleOutcome {
	outcomes := make([]authz.RuleOutcome, 0, len(beyond.rules))
	for _, tried := range beyond.rules {
		outcomes = append(outcomes, p.outcome(cmp.Or(deciding.byRule[tried.rule], tried)))
	}
	for _, tried := range deciding.rules {
		if beyond.byRule[tried.rule] == nil {
			outcomes = append(outcomes, p.outcome(tried))
		}
	}
	return outcomes[:min(len(outcomes), maxRules)]
}

func (p *program) outcome(tried *trial) authz.RuleOutcome {
	outcome := authz.RuleOutcome{
		Rule:     tried.rule.Ref().GroundPrefix().String(),
		Title:    p.policy.Title(tried.rule),
		Location: rego.Location(tried.rule.Location),
		Held:     tried.held && !tried.erred,
		Erred:    tried.erred,
	}
	if !outcome.Held && tried.failed != nil {
		outcome.FailedAt = rego.Location(tried.failed.Location)
		outcome.FailedExpr = exprText(tried.failed)
	}
	return outcome
}

// exprText is an expression as it stands in the policy, on one line.
func exprText(expr *ast.Expr) string {
	text := strings.Join(strings.Fields(string(expr.Location.Text)), " ")
	if len(text) <= maxExprBytes {
		return text
	}
	cut := maxExprBytes
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// A witness is a directory that notes what is read from it.
type witness struct {
	eval.Directory
	read []authz.Fact
	seen map[string]bool
}

// Entity reads one entity and notes whether it is known.
func (w *witness) Entity(ctx context.Context, typ, id string) (eval.Entity, error) {
	e, err := w.Directory.Entity(ctx, typ, id)
	if err == nil {
		w.note(authz.EntityRef{Type: typ, ID: id}.String(), e != nil)
	}
	return e, err
}

// EachEntity reads all entities of a type and notes each.
func (w *witness) EachEntity(ctx context.Context, typ string, visit func(eval.Entity) bool) error {
	return w.Directory.EachEntity(ctx, typ, func(e eval.Entity) bool {
		w.note(e.Ref(), true)
		return visit(e)
	})
}

func (w *witness) note(ref string, known bool) {
	if w.seen[ref] || len(w.read) == maxFacts {
		return
	}
	if w.seen == nil {
		w.seen = make(map[string]bool)
	}
	w.seen[ref] = true
	w.read = append(w.read, authz.Fact{Ref: ref, Known: known})
}

// and is what either read, what w did first. It is never nil.
func (w *witness) and(other *witness) []authz.Fact {
	for _, fact := range other.read {
		w.note(fact.Ref, fact.Known)
	}
	return append([]authz.Fact{}, w.read...)
}
