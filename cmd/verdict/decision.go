package main

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// A decisionReport is a decision as --output json prints it.
type decisionReport struct {
	Allowed           bool               `json:"allowed"`
	Reasons           []string           `json:"reasons"`
	Obligations       authz.Object       `json:"obligations"`
	DecisionID        string             `json:"decision_id"`
	PolicyRevision    string             `json:"policy_revision"`
	DirectoryRevision uint64             `json:"directory_revision"`
	Error             *errorReport       `json:"error,omitempty"`
	Explanation       *explanationReport `json:"explanation,omitempty"`
}

type errorReport struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

type explanationReport struct {
	Rules []ruleReport `json:"rules"`
	Facts []factReport `json:"facts"`
}

type ruleReport struct {
	Rule       string `json:"rule"`
	Title      string `json:"title,omitempty"`
	Location   string `json:"location"`
	Held       bool   `json:"held"`
	Erred      bool   `json:"erred,omitempty"`
	FailedAt   string `json:"failed_at,omitempty"`
	FailedExpr string `json:"failed_expr,omitempty"`
}

type factReport struct {
	Ref   string `json:"ref"`
	Known bool   `json:"known"`
}

func newDecisionReport(d authz.Decision) decisionReport {
	report := decisionReport{
		Allowed:           d.Allowed,
		Reasons:           d.Reasons,
		Obligations:       d.Obligations,
		DecisionID:        d.ID,
		PolicyRevision:    d.PolicyRevision,
		DirectoryRevision: d.DirectoryRevision,
	}
	if report.Reasons == nil {
		report.Reasons = []string{}
	}
	if report.Obligations == nil {
		report.Obligations = authz.Object{}
	}
	if d.Err != nil {
		report.Error = &errorReport{Kind: authz.KindOf(d.Err).String(), Message: d.Err.Error()}
	}
	if d.Explanation != nil {
		report.Explanation = newExplanationReport(d.Explanation)
	}
	return report
}

func newExplanationReport(e *authz.Explanation) *explanationReport {
	report := &explanationReport{Rules: []ruleReport{}, Facts: []factReport{}}
	for _, rule := range e.Rules {
		report.Rules = append(report.Rules, ruleReport(rule))
	}
	for _, fact := range e.Facts {
		report.Facts = append(report.Facts, factReport(fact))
	}
	return report
}

// verdict is allow or deny.
func verdict(allowed bool) string {
	if allowed {
		return "allow"
	}
	return "deny"
}

// verdictColour paints an allow green and a deny red.
func verdictColour(cell string) string {
	switch cell {
	case verdict(true):
		return green
	case verdict(false):
		return red
	}
	return ""
}

// printDecision shows a decision to a person.
func (p *printer) printDecision(d authz.Decision) error {
	if p.json() {
		return p.printJSON(newDecisionReport(d))
	}
	answer := verdict(d.Allowed)
	p.printf("%s\n", p.paint(verdictColour(answer), answer))
	rows := [][]string{}
	for i, reason := range d.Reasons {
		rows = append(rows, []string{labelled("reason", i), reason})
	}
	if d.Err != nil {
		rows = append(rows, []string{"  error", d.Err.Error()})
	}
	if len(d.Obligations) > 0 {
		rows = append(rows, []string{"  obligations", compactJSON(d.Obligations)})
	}
	rows = append(rows,
		[]string{"  decision", d.ID},
		[]string{"  policy", d.PolicyRevision},
		[]string{"  directory", strconv.FormatUint(d.DirectoryRevision, 10)},
	)
	if err := p.table(rows); err != nil {
		return err
	}
	if d.Explanation == nil {
		return nil
	}
	return p.printExplanation(d.Explanation)
}

// labelled is a label in front of the first of several lines.
func labelled(label string, i int) string {
	if i > 0 {
		return ""
	}
	return "  " + label
}

func (p *printer) printExplanation(e *authz.Explanation) error {
	p.printf("\nrules\n")
	var rows [][]string
	for _, rule := range e.Rules {
		mark, detail := "  +", rule.Title
		switch expression := strings.Join(strings.Fields(rule.FailedExpr), " "); {
		case rule.Erred:
			mark, detail = "  !", "error"
			if expression != "" {
				detail = "error in: " + expression + " (" + rule.FailedAt + ")"
			}
		case !rule.Held:
			mark = "  -"
			if expression != "" {
				detail = "not so: " + expression + " (" + rule.FailedAt + ")"
			}
		}
		rows = append(rows, []string{mark + " " + strings.TrimPrefix(rule.Rule, "data."), rule.Location, detail})
	}
	if err := p.table(rows); err != nil {
		return err
	}
	if len(e.Facts) == 0 {
		return nil
	}
	p.printf("\nfacts\n")
	rows = nil
	for _, fact := range e.Facts {
		known := ""
		if !fact.Known {
			known = "unknown to the directory"
		}
		rows = append(rows, []string{"  " + fact.Ref, known})
	}
	return p.table(rows)
}

// compactJSON is v as JSON on one line.
func compactJSON(v any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(text.String())
}
