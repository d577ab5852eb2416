package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/rego"
)

// An explanationReport is an explanation as --output json prints it.
type explanationReport struct {
	Rules        []ruleReport `json:"rules"`
	Facts        []factReport `json:"facts"`
	RulesLeftOut int          `json:"rules_left_out,omitempty"`
	FactsLeftOut int          `json:"facts_left_out,omitempty"`
	CutShort     string       `json:"cut_short,omitempty"`
}

type ruleReport struct {
	Rule           string        `json:"rule"`
	Title          string        `json:"title,omitempty"`
	Location       string        `json:"location"`
	Held           bool          `json:"held"`
	Erred          bool          `json:"erred,omitempty"`
	FailedAt       string        `json:"failed_at,omitempty"`
	FailedExpr     string        `json:"failed_expr,omitempty"`
	Values         []valueReport `json:"values,omitempty"`
	ValuesLeftOut  int           `json:"values_left_out,omitempty"`
	MoreAttempts   int           `json:"more_attempts,omitempty"`
	Passed         int           `json:"passed"`
	Expressions    int           `json:"expressions"`
	RestsOn        []string      `json:"rests_on,omitempty"`
	RestsOnLeftOut int           `json:"rests_on_left_out,omitempty"`
	Rank           int           `json:"rank,omitempty"`
}

type valueReport struct {
	Text  string `json:"text"`
	Value string `json:"value,omitempty"`
}

type factReport struct {
	Ref   string `json:"ref"`
	Known bool   `json:"known"`
}

func newExplanationReport(e *authz.Explanation) *explanationReport {
	report := &explanationReport{
		Rules: []ruleReport{}, Facts: []factReport{},
		RulesLeftOut: e.RulesLeftOut, FactsLeftOut: e.FactsLeftOut, CutShort: e.CutShort,
	}
	for _, r := range e.Rules {
		rule := ruleReport{
			Rule: r.Rule, Title: r.Title, Location: r.Location, Held: r.Held, Erred: r.Erred, FailedAt: r.FailedAt, FailedExpr: r.FailedExpr,
			ValuesLeftOut: r.ValuesLeftOut, MoreAttempts: r.MoreAttempts, Passed: r.Passed, Expressions: r.Expressions, RestsOn: r.RestsOn, RestsOnLeftOut: r.RestsOnLeftOut, Rank: r.Rank,
		}
		for _, v := range r.Values {
			rule.Values = append(rule.Values, valueReport(v))
		}
		report.Rules = append(report.Rules, rule)
	}
	for _, fact := range e.Facts {
		report.Facts = append(report.Facts, factReport(fact))
	}
	return report
}

// An explainedTree prints the rules of an explanation to a person, each below the
// one that rests on it, as far as that tells why that one came out so.
type explainedTree struct {
	*printer
	rules  []*explainedRule
	byPath map[string][]*explainedRule
	// denying is whether what is printed tells of a deny: of that it also tells what
	// did not hold, for mostly it was asked that it does not.
	denying bool
}

type explainedRule struct {
	authz.RuleOutcome
	shown bool // or not worth showing but below what rests on it
	open  bool // it is among those that are printed at present, one below another
}

// How much of an explanation a person is shown.
const (
	maxDetailed   = 5  // rules beside each other, with all that is told of them
	maxListed     = 20 // rules beside each other
	maxFacts      = 50 // entities read
	maxValueWidth = 80 // characters of a value
)

// more ends what was cut off.
const more = "…"

// printExplanation shows a person why a decision came out as it did, what
// decided first.
func (p *printer) printExplanation(d authz.Decision) error {
	t := &explainedTree{printer: p, byPath: make(map[string][]*explainedRule)}
	for _, outcome := range d.Explanation.Rules {
		rule := &explainedRule{RuleOutcome: outcome, shown: isConstant(&outcome)}
		t.rules = append(t.rules, rule)
		t.byPath[rule.Rule] = append(t.byPath[rule.Rule], rule)
	}
	held := func(r *explainedRule) bool { return r.Held }
	if d.Explanation.CutShort != "" {
		t.printf("\nnot all rules could be tried for this: %s\n", printable(d.Explanation.CutShort))
	}
	if d.Err != nil {
		t.section("errors", t.roots(func(r *explainedRule) bool { return r.Erred }))
	}
	if d.Allowed {
		t.section("allowed by", t.named(rego.Allow))
	} else {
		t.denying = true
		t.section("denied by", t.named(rego.Deny))
		t.denying = false
		if d.Err == nil {
			t.section("but for that allowed by", t.named(rego.Allow))
		}
	}
	t.section("closest to an allow", t.roots(func(r *explainedRule) bool { return r.Rank > 0 }))
	t.section("held", t.roots(held))
	t.section("did not hold", t.rest())
	if n := d.Explanation.RulesLeftOut; n > 0 {
		t.printf("\n%s and %s, of those that came least close\n", more, counted(n, "rule"))
	}
	return t.printFacts(d.Explanation.Facts, d.Explanation.FactsLeftOut)
}

// isConstant reports whether a rule asks for nothing and says nothing of the
// decision.
func isConstant(r *authz.RuleOutcome) bool {
	return r.Held && r.Expressions == 0 && !slices.Contains(rego.Rules[:], nameOf(r))
}

// nameOf is the last name of a rule's path.
func nameOf(r *authz.RuleOutcome) string { return r.Rule[strings.LastIndexByte(r.Rule, '.')+1:] }

// named are the rules of a name that held.
func (t *explainedTree) named(name string) []*explainedRule {
	var named []*explainedRule
	for _, r := range t.rules {
		if r.Held && nameOf(&r.RuleOutcome) == name {
			named = append(named, r)
		}
	}
	return named
}

// roots are those of some rules that no other of them rests on, the closest
// first.
func (t *explainedTree) roots(which func(*explainedRule) bool) []*explainedRule {
	below := make(map[string]bool)
	for _, r := range t.rules {
		if which(r) {
			for _, path := range r.RestsOn {
				below[path] = true
			}
		}
	}
	var roots []*explainedRule
	for _, r := range t.rules {
		if which(r) && !r.shown && !below[r.Rule] {
			roots = append(roots, r)
		}
	}
	sortByRank(roots)
	return roots
}

func sortByRank(rules []*explainedRule) {
	slices.SortStableFunc(rules, func(a, b *explainedRule) int { return cmp.Compare(a.Rank, b.Rank) })
}

// rest are the rules that have not been shown, those of which most held first.
func (t *explainedTree) rest() []*explainedRule {
	var rest []*explainedRule
	for _, r := range t.rules {
		if !r.shown {
			rest = append(rest, r)
		}
	}
	slices.SortStableFunc(rest, func(a, b *explainedRule) int { return cmp.Compare(b.share(), a.share()) })
	return rest
}

// share is how much of a rule held.
func (r *explainedRule) share() float64 { return float64(r.Passed) / float64(max(r.Expressions, 1)) }

func (t *explainedTree) section(title string, rules []*explainedRule) {
	if len(rules) == 0 {
		return
	}
	t.printf("\n%s\n", title)
	t.list(rules, "  ", title != "did not hold")
}

// list prints rules that stand beside each other, the first ones in full.
func (t *explainedTree) list(rules []*explainedRule, indent string, full bool) {
	short := 0
	for i, r := range rules {
		switch {
		case i == maxListed:
			t.printf("%s%s and %d more, which --output json shows\n", indent, more, len(rules)-i)
		case i > maxListed:
		case full && (i < maxDetailed || r.Held):
			t.detail(r, indent)
		default:
			t.line(r, indent)
			short++
		}
		r.shown = true
	}
	if full && short > 0 && len(rules) <= maxListed {
		t.printf("%s%s of the last %d, --output json shows the values\n", indent, more, short)
	}
}

// line prints a rule on one line.
func (t *explainedTree) line(r *explainedRule, indent string) {
	mark, colour := "-", red
	switch {
	case r.Held:
		mark, colour = "+", green
	case r.Erred:
		mark = "!"
	}
	name := strings.TrimPrefix(r.Rule, "data.") + "  " + r.Location
	if r.Title != "" {
		name = r.Title + "  (" + name + ")"
	}
	t.printf("%s%s %s\n", indent, t.paint(colour, mark), printable(name))
	if r.FailedExpr != "" {
		t.printf("%s    %s\n", indent, printable(r.failure()))
	}
}

// failure is what of a rule did not hold or erred.
func (r *explainedRule) failure() string {
	text := "not so: "
	if r.Erred {
		text = "error in: "
	}
	text += r.FailedExpr
	if r.FailedAt != r.Location {
		text += "  (" + r.FailedAt + ")"
	}
	if !r.Erred && r.Expressions > 1 {
		text = fmt.Sprintf("%d of %d held, %s", r.Passed, r.Expressions, text)
	}
	return text
}

// detail prints a rule with the values where it failed and the rules that tell
// why it came out so.
func (t *explainedTree) detail(r *explainedRule, indent string) {
	t.line(r, indent)
	inner := indent + "    "
	if r.shown || r.open {
		if len(r.Values) > 0 || len(t.causes(r)) > 0 {
			t.printf("%s%s as above\n", inner, more)
		}
		return
	}
	r.open = true
	if r.MoreAttempts > 0 && len(r.Values) > 0 {
		t.printf("%s    in the first of %d attempts that came as far:\n", inner, r.MoreAttempts+1)
	}
	for _, v := range r.Values {
		if v.Value == "" {
			t.printf("%s    %s is undefined\n", inner, printable(v.Text))
		} else {
			t.printf("%s    %s = %s\n", inner, printable(v.Text), printable(shortened(v.Value)))
		}
	}
	if r.ValuesLeftOut > 0 {
		t.printf("%s    %s and %s, not told\n", inner, more, counted(r.ValuesLeftOut, "value"))
	}
	t.list(t.causes(r), inner, true)
	if r.RestsOnLeftOut > 0 {
		t.printf("%s%s and rules of %s that this rests on\n", inner, more, counted(r.RestsOnLeftOut, "path"))
	}
	r.open, r.shown = false, true
}

// shortened is a value's beginning, where it would not fit on a line.
func shortened(value string) string {
	text := strings.TrimSuffix(value, more)
	if runes := []rune(text); len(runes) > maxValueWidth {
		return string(runes[:maxValueWidth]) + more
	}
	return value
}

// causes are the rules that tell why one came out as it did: by those that held
// it held, and by those that failed it failed, unless it asked for just that.
func (t *explainedTree) causes(r *explainedRule) []*explainedRule {
	asksNot := strings.HasPrefix(r.FailedExpr, "not ")
	var causes []*explainedRule
	for _, path := range r.RestsOn {
		if r.Erred {
			causes = append(causes, t.under(path, func(other *explainedRule) bool { return other.Erred })...)
			continue
		}
		holding := r.Held || asksNot
		found := t.under(path, func(other *explainedRule) bool { return !other.Erred && other.Held == holding })
		// What every asks of each member may hold of another one, and fail by what holds.
		if len(found) == 0 && (r.Held && t.denying || strings.HasPrefix(r.FailedExpr, "every ")) {
			found = t.under(path, func(other *explainedRule) bool { return !other.Erred && other.Held != holding })
		}
		causes = append(causes, found...)
	}
	sortByRank(causes)
	return causes
}

// under are those of the rules of a path that are not printed at present.
func (t *explainedTree) under(path string, which func(*explainedRule) bool) []*explainedRule {
	var rules []*explainedRule
	for _, r := range t.byPath[path] {
		if which(r) && !r.open {
			rules = append(rules, r)
		}
	}
	return rules
}

func (t *explainedTree) printFacts(facts []authz.Fact, leftOut int) error {
	if len(facts) == 0 {
		return nil
	}
	t.printf("\nfacts\n")
	var rows [][]string
	for _, fact := range facts[:min(len(facts), maxFacts)] {
		known := ""
		if !fact.Known {
			known = "unknown to the directory"
		}
		rows = append(rows, []string{"  " + fact.Ref, known})
	}
	if err := t.table(rows); err != nil {
		return err
	}
	switch rest := len(facts) - len(rows); {
	case rest > 0 && leftOut > 0:
		t.printf("  %s and %d more, of which --output json shows %d\n", more, rest+leftOut, rest)
	case rest > 0:
		t.printf("  %s and %d more, which --output json shows\n", more, rest)
	case leftOut > 0:
		t.printf("  %s and %d more\n", more, leftOut)
	}
	return nil
}

// counted is a number of more things, such as 1 more rule.
func counted(n int, thing string) string {
	if n > 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d more %s", n, thing)
}
