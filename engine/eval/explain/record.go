package explain

import "github.com/open-policy-agent/opa/v1/ast"

// A Record is what became of the rules in one evaluation. It belongs to one
// goroutine.
type Record struct {
	policy *Policy
	trials []*Trial // by rule; nil was not tried
}

// NewRecord is of an evaluation that has not begun.
func (p *Policy) NewRecord() *Record {
	return &Record{policy: p, trials: make([]*Trial, len(p.rules))}
}

// A Trial is a rule that was tried, however often.
type Trial struct {
	// Rule is the rule.
	Rule *Rule
	// Step is the furthest that any attempt which failed came to, -1 for none:
	// where the rule failed, unless it held.
	Step int

	more    int  // how many more attempts of that try of the rule came to Step
	trying  bool // it has not ended
	held    bool
	last    int // the step that was come to last
	erred   bool
	erredAt int // the first step that did, or nowhere
	cutAt   int // where the evaluation ended, or nowhere
}

// nowhere is no step.
const nowhere = -2

// Enter notes that a rule is tried.
func (r *Record) Enter(rule *Rule) *Trial {
	t := r.trials[rule.Number]
	if t == nil {
		t = &Trial{Rule: rule, Step: -1, erredAt: nowhere, cutAt: nowhere}
		r.trials[rule.Number] = t
	}
	t.last, t.trying = -1, false
	return t
}

// Trial is what became of a rule; nil where it was not tried.
func (r *Record) Trial(rule *Rule) *Trial { return r.trials[rule.Number] }

// Tried are the rules that were tried.
func (r *Record) Tried() []*Trial {
	var tried []*Trial
	for _, t := range r.trials {
		if t != nil {
			tried = append(tried, t)
		}
	}
	return tried
}

// Reach notes that the evaluation comes to a step. It reports whether none came
// as far before.
func (t *Trial) Reach(step int) (further bool) {
	t.last = step
	if step <= t.Step {
		if step == t.Step && t.trying {
			t.more++
		}
		return false
	}
	t.Step, t.more, t.trying = step, 0, true
	return true
}

// Yield notes that the body has come to its end, and what a complete rule yields;
// nil is of any other. A rule that is false does not hold: it fails at the end.
func (t *Trial) Yield(value ast.Value) (further bool) {
	if truth, isBoolean := value.(ast.Boolean); isBoolean && !bool(truth) {
		return t.Reach(t.Rule.End())
	}
	t.held = true
	return false
}

// Err notes that an error arose in a step; one that is none is in the rule
// elsewhere.
func (t *Trial) Err(step int) {
	if !t.erred && t.Rule.expression(step) != nil {
		t.erredAt = step
	}
	t.erred = true
}

// Cut notes that the evaluation ended while the rule was tried.
func (t *Trial) Cut() {
	if t.cutAt == nowhere {
		t.cutAt = t.last
	}
}

// Mark notes that an error arose at a place of a rule that was tried. It reports
// whether there is such a rule.
func (r *Record) Mark(at *ast.Location) (found bool) {
	if at == nil {
		return false
	}
	here := func(l *ast.Location) bool { return l != nil && l.Compare(at) == 0 }
	for _, t := range r.Tried() {
		rule := t.Rule.Compiled
		if here(rule.Location) || here(rule.Head.Location) {
			t.Err(t.Rule.End())
			found = true
		}
		for step, expr := range rule.Body {
			ast.WalkExprs(expr, func(inner *ast.Expr) bool {
				if here(inner.Location) {
					t.Err(step)
					found = true
				}
				return false
			})
		}
	}
	return found
}

// Add adds the record of the run that decided to that of one which tried more.
// Whether rules that both tried erred is what the first says; of the others, and
// of how far rules came, it is what either knows. It returns the trials that are
// the first's.
func (r *Record) Add(decided *Record) (theirs []*Trial) {
	for number, their := range decided.trials {
		if their == nil {
			continue
		}
		our := r.trials[number]
		if our == nil || their.Step > our.Step {
			if our != nil {
				their.held = their.held || our.held
			}
			r.trials[number] = their
			theirs = append(theirs, their)
			continue
		}
		our.held = our.held || their.held
		our.erred, our.erredAt, our.cutAt = their.erred, their.erredAt, their.cutAt
	}
	return theirs
}
