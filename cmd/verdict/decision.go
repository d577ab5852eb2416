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
	return p.printExplanation(d)
}

// labelled is a label in front of the first of several lines.
func labelled(label string, i int) string {
	if i > 0 {
		return ""
	}
	return "  " + label
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
