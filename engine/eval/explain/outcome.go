package explain

import (
	"cmp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Bounds of an explanation. What goes beyond is left out, and the explanation
// says how much that is; texts end in what says that they were cut.
const (
	maxRules      = 1_000   // rules
	maxFacts      = 1_000   // entities read
	maxOperands   = 16      // operands of an expression
	maxRestsOn    = 32      // paths that a rule rests on
	maxTextBytes  = 300     // bytes of an expression's text, and of a title
	maxValueBytes = 300     // bytes of a value's text
	maxAllValues  = 1 << 18 // bytes of all values
)

// A Decision is what an explanation is about.
type Decision struct {
	Output eval.Output
	Err    error
	// Facts are what it read.
	Facts Facts
	// Cut is the error that ended the evaluation which tells before all was
	// tried, nil if none did. It may be that of the decision itself.
	Cut error
	// Values finds the values of the operands of the step that a rule came to,
	// each an array that is empty where the operand is undefined; nil where they
	// are not known.
	Values func(*Trial) []*ast.Array
}

// Explain is the explanation that a record makes of a decision.
func (r *Record) Explain(d Decision) *authz.Explanation {
	f := newFinder(r.Tried(), d.Err != nil)
	f.settle(d.Err != nil)
	for _, name := range rego.Rules {
		f.order(r.policy.path.Append(ast.StringTerm(name)))
	}
	for _, p := range f.paths {
		f.visit(p)
	}
	if d.Err == nil && !d.Output.Allow {
		f.rank(r.policy.path.Append(ast.StringTerm(rego.Allow)))
	}
	chosen := f.choose()
	outcomes := make([]authz.RuleOutcome, len(chosen))
	for i, found := range chosen {
		outcomes[i] = f.outcome(found)
	}
	tellValues(chosen, outcomes, d.Values)
	return &authz.Explanation{
		Rules: outcomes, Facts: d.Facts.Told,
		RulesLeftOut: len(f.ordered) - len(chosen), FactsLeftOut: d.Facts.LeftOut, CutShort: d.cutShort(),
	}
}

// cutShort says what ended the explaining, unless it ended as the decision did,
// with a fault of the policy: that has its place among the rules.
func (d *Decision) cutShort() string {
	switch {
	case d.Cut == nil:
		return ""
	case d.Err != nil && authz.KindOf(d.Err) == authz.Evaluation && d.Err.Error() == d.Cut.Error():
		return ""
	case authz.KindOf(d.Cut) == authz.Internal:
		return "an internal error"
	default:
		return d.Cut.Error()
	}
}

// A finding is what is said of a rule.
type finding struct {
	*Trial
	held, erred bool
	failed      int // the step, or nowhere
	rank        int
	closeness   float64
}

// A path is the rules under one name that were tried.
type path struct {
	ref      ast.Ref
	name     string
	findings []*finding
	visited  bool
}

// A finder goes from rules to those that they ask for.
type finder struct {
	paths   []*path
	byName  map[string]*path
	ordered []*finding
	asked   map[string][]*path // by what of data is asked for
}

// newFinder sorts the rules that were tried. An error that arose in explaining
// alone, where the decision came to none, says nothing of a rule that holds.
func newFinder(tried []*Trial, erred bool) *finder {
	f := &finder{byName: make(map[string]*path), asked: make(map[string][]*path)}
	for _, t := range tried {
		p := f.byName[t.Rule.name]
		if p == nil {
			p = &path{ref: t.Rule.path, name: t.Rule.name}
			f.byName[p.name] = p
			f.paths = append(f.paths, p)
		}
		found := &finding{Trial: t, failed: t.Step}
		switch {
		case t.erred && (erred || !t.held):
			found.erred, found.failed = true, t.erredAt
		case t.held:
			found.held, found.failed = true, nowhere
		case t.cutAt != nowhere:
			found.failed = nowhere
		}
		p.findings = append(p.findings, found)
	}
	return f
}

// settle says of rules that were tried when the decision came to its error that
// they erred, and of those that held, or failed, by what erred.
func (f *finder) settle(erred bool) {
	if !erred {
		return // what arose in explaining alone did so in no rule that decided
	}
	for _, p := range f.paths {
		for _, found := range p.findings {
			if found.cutAt != nowhere && !found.held && !found.erred {
				found.erred, found.failed = true, found.cutAt
			}
		}
	}
	for spread := true; spread; {
		spread = false
		for _, p := range f.paths {
			for _, found := range p.findings {
				if !found.erred && f.askErring(found) {
					found.erred, found.held, spread = true, false, true
				}
			}
		}
	}
}

func (f *finder) askErring(found *finding) bool {
	for _, p := range f.askedBy(found) {
		if slices.ContainsFunc(p.findings, func(other *finding) bool { return other.erred && other != found }) {
			return true
		}
	}
	return false
}

// askedBy are the paths that the expression which failed asks for, or the whole
// rule.
func (f *finder) askedBy(found *finding) []*path {
	asks := found.Rule.asks
	if expression := found.Rule.expression(found.failed); expression != nil {
		asks = expression.asks
	} else if found.failed != nowhere {
		return nil // the arguments
	}
	var paths []*path
	for _, ask := range asks {
		for _, p := range f.meeting(ask) {
			if p.name != found.Rule.name && !slices.Contains(paths, p) {
				paths = append(paths, p)
			}
		}
	}
	return paths
}

// meeting are the paths of rules that a ref may ask for.
func (f *finder) meeting(ref ast.Ref) []*path {
	name := ref.String()
	met, known := f.asked[name]
	if !known {
		for _, p := range f.paths {
			if meets(ref, p.ref) {
				met = append(met, p)
			}
		}
		f.asked[name] = met
	}
	return met
}

// order puts the rules of a ref next, and behind them what they ask for.
func (f *finder) order(ref ast.Ref) {
	for _, p := range f.meeting(ref) {
		f.visit(p)
	}
}

func (f *finder) visit(p *path) {
	if p.visited {
		return
	}
	p.visited = true
	f.ordered = append(f.ordered, p.findings...)
	for _, found := range p.findings {
		for _, ask := range found.Rule.asks {
			f.order(ask)
		}
	}
}

// choose are the rules that are told: where they are too many, first those that
// did not simply fail, then those that came closest.
func (f *finder) choose() []*finding {
	if len(f.ordered) <= maxRules {
		return f.ordered
	}
	class := func(found *finding) int {
		switch {
		case found.held || found.erred:
			return 0
		case found.rank > 0:
			return 1
		default:
			return 2
		}
	}
	place := make(map[*finding]int)
	for i, found := range f.ordered {
		place[found] = i
	}
	chosen := slices.Clone(f.ordered)
	slices.SortStableFunc(chosen, func(a, b *finding) int {
		return cmp.Or(cmp.Compare(class(a), class(b)), cmp.Compare(a.rank, b.rank))
	})
	chosen = chosen[:maxRules]
	slices.SortFunc(chosen, func(a, b *finding) int { return cmp.Compare(place[a], place[b]) })
	return chosen
}

func (f *finder) outcome(found *finding) authz.RuleOutcome {
	rule := found.Rule
	outcome := authz.RuleOutcome{
		Rule:        rule.name,
		Title:       cut(rule.title, maxTextBytes),
		Location:    rule.location,
		Held:        found.held,
		Erred:       found.erred,
		Passed:      found.passed(),
		Expressions: len(rule.expressions),
		Rank:        found.rank,
	}
	for _, p := range f.askedBy(found) {
		if len(outcome.RestsOn) == maxRestsOn {
			outcome.RestsOnLeftOut++
			continue
		}
		outcome.RestsOn = append(outcome.RestsOn, p.name)
	}
	if found.failed != nowhere {
		at := rule.Compiled.Head.Location
		if expression := rule.expression(found.failed); expression != nil {
			at = expression.at
		}
		outcome.FailedAt, outcome.FailedExpr = rego.Location(at), cut(line(at.Text), maxTextBytes)
	}
	return outcome
}

// passed is how many expressions held in the attempt that is told of.
func (found *finding) passed() int {
	switch {
	case found.held:
		return len(found.Rule.expressions)
	case found.failed < 0:
		return 0
	default:
		return found.Rule.passed(found.failed)
	}
}

// tellValues adds the values to what is said of rules, as far as there is room:
// of those that came closest first.
func tellValues(findings []*finding, outcomes []authz.RuleOutcome, values func(*Trial) []*ast.Array) {
	order := make([]int, len(findings))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(-compareBool(findings[a].rank > 0, findings[b].rank > 0), cmp.Compare(findings[a].rank, findings[b].rank))
	})
	room := maxAllValues
	for _, i := range order {
		found := findings[i]
		rule, expression := found.Rule, found.Rule.expression(found.failed)
		if expression == nil {
			continue
		}
		// What operands were is known where the rule came furthest.
		told := expression == rule.expression(found.Step)
		step := found.failed
		if told {
			step, outcomes[i].MoreAttempts = found.Step, found.more
		}
		operands := rule.operands[step]
		outcomes[i].ValuesLeftOut = rule.untold[step] + len(operands)
		if !told || room < 0 || len(operands) == 0 {
			continue
		}
		known := values(found.Trial)
		for j, operand := range operands {
			if j >= len(known) || known[j] == nil {
				continue
			}
			told := authz.ExprValue{Text: operand.Text, Value: operand.text(known[j])}
			if room -= len(told.Text) + len(told.Value); room < 0 {
				break
			}
			outcomes[i].Values = append(outcomes[i].Values, told)
			outcomes[i].ValuesLeftOut--
		}
	}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// text is the operand's value, of those that were found.
func (o *Operand) text(found *ast.Array) string {
	switch {
	case o.Each:
		return valueText(found, maxValueBytes)
	case found.Len() == 0:
		return ""
	default:
		return valueText(found.Elem(0).Value, maxValueBytes)
	}
}
