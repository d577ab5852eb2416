package grpcapi

import (
	"fmt"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/server/status"
)

// responseOf is the message of a decision, whose internal error the decider
// logged. What it says of one without an error, appendDecision says too.
func responseOf(decision authz.Decision) (*verdictv1.CheckAccessResponse, error) {
	obligations, err := structOf(decision.Obligations)
	if err != nil {
		return nil, fmt.Errorf("obligations of decision %s: %w", decision.ID, err)
	}
	response := &verdictv1.CheckAccessResponse{
		Allowed:           decision.Allowed && decision.Err == nil,
		Reasons:           decision.Reasons,
		Obligations:       obligations,
		DecisionId:        decision.ID,
		PolicyRevision:    decision.PolicyRevision,
		DirectoryRevision: decision.DirectoryRevision,
		Explanation:       explanationOf(decision.Explanation),
	}
	if decision.Err != nil {
		response.Error = decisionErrorOf(status.Of(decision.Err, "decision "+decision.ID))
	}
	return response, nil
}

func decisionErrorOf(public status.Public) *verdictv1.DecisionError {
	message := &verdictv1.DecisionError{Kind: verdictv1.ErrorKindOf(public.Kind), Message: public.Message}
	for _, v := range public.Violations {
		message.Violations = append(message.Violations, &verdictv1.FieldViolation{Field: v.Field, Description: v.Description})
	}
	return message
}

func explanationOf(explanation *authz.Explanation) *verdictv1.Explanation {
	if explanation == nil {
		return nil
	}
	message := &verdictv1.Explanation{
		Rules: make([]*verdictv1.RuleOutcome, len(explanation.Rules)),
		Facts: make([]*verdictv1.Fact, len(explanation.Facts)),

		RulesLeftOut: uint32(explanation.RulesLeftOut),
		FactsLeftOut: uint32(explanation.FactsLeftOut),
		CutShort:     explanation.CutShort,
	}
	for i, rule := range explanation.Rules {
		message.Rules[i] = &verdictv1.RuleOutcome{
			Rule:             rule.Rule,
			Title:            rule.Title,
			Location:         rule.Location,
			Held:             rule.Held,
			Erred:            rule.Erred,
			FailedAt:         rule.FailedAt,
			FailedExpression: rule.FailedExpr,
			Values:           valuesOf(rule.Values),
			ValuesLeftOut:    uint32(rule.ValuesLeftOut),
			MoreAttempts:     uint32(rule.MoreAttempts),
			Passed:           uint32(rule.Passed),
			Expressions:      uint32(rule.Expressions),
			RestsOn:          rule.RestsOn,
			RestsOnLeftOut:   uint32(rule.RestsOnLeftOut),
			Rank:             uint32(rule.Rank),
		}
	}
	for i, fact := range explanation.Facts {
		message.Facts[i] = &verdictv1.Fact{Ref: fact.Ref, Known: fact.Known}
	}
	return message
}

func valuesOf(values []authz.ExprValue) []*verdictv1.ExpressionValue {
	var messages []*verdictv1.ExpressionValue
	for _, v := range values {
		messages = append(messages, &verdictv1.ExpressionValue{Text: v.Text, Value: v.Value})
	}
	return messages
}
