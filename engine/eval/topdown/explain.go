package topdown

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

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
	policy *rego.Policy
	rules  []*trial
	byRule map[*ast.Rule]*trial
	open   map[uint64]*trial // by the query that evaluates the rule's body
}

// A trial is a rule that was tried, however often.
type trial struct {
	rule   *ast.Rule
	held   bool
	failed *ast.Expr // the last of its expressions that did not hold
}

func newTracer(policy *rego.Policy) *tracer {
	return &tracer{policy: policy, byRule: make(map[*ast.Rule]*trial), open: make(map[uint64]*trial)}
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

// outcomes are the rules in the order in which they were tried.
func (t *tracer) outcomes() []authz.RuleOutcome {
	outcomes := make([]authz.RuleOutcome, len(t.rules))
	for i, tried := range t.rules {
		outcomes[i] = authz.RuleOutcome{
			Rule:     tried.rule.Ref().GroundPrefix().String(),
			Title:    t.policy.Title(tried.rule),
			Location: rego.Location(tried.rule.Location),
			Held:     tried.held,
		}
		if !tried.held && tried.failed != nil {
			outcomes[i].FailedAt = rego.Location(tried.failed.Location)
			outcomes[i].FailedExpr = exprText(tried.failed)
		}
	}
	return outcomes
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
