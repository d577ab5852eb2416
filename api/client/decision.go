package client

import (
	"encoding/json"
	"strconv"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// decisionOf is the decision of a check, or the error of one that was never
// decided. Only in a batch does that come as an answer: the check is told the
// same, whether it went alone or not.
func (c *Client) decisionOf(response *verdictv1.CheckAccessResponse) (authz.Decision, error) {
	decision := decisionIn(response)
	if decision.Err != nil && (authz.KindOf(decision.Err) == authz.Invalid || decision.ID == "") {
		return authz.Decision{}, decision.Err
	}
	return decision, nil
}

// decisionIn is the decision in an answer, which is never an allow together with
// an error.
func decisionIn(response *verdictv1.CheckAccessResponse) authz.Decision {
	return authz.Decision{
		Allowed:           response.GetAllowed() && response.GetError() == nil,
		Reasons:           response.GetReasons(),
		Obligations:       objectIn(response.GetObligations()),
		ID:                response.GetDecisionId(),
		PolicyRevision:    response.GetPolicyRevision(),
		DirectoryRevision: response.GetDirectoryRevision(),
		Explanation:       explanationIn(response.GetExplanation()),
		Err:               errorOf(response.GetError()),
	}
}

// objectIn is the object in a message, or nil of nil.
func objectIn(message *structpb.Struct) authz.Object {
	if message == nil {
		return nil
	}
	object := make(authz.Object, len(message.GetFields()))
	for name, member := range message.GetFields() {
		object[name] = valueIn(member)
	}
	return object
}

func valueIn(message *structpb.Value) any {
	switch kind := message.GetKind().(type) {
	case *structpb.Value_BoolValue:
		return kind.BoolValue
	case *structpb.Value_StringValue:
		return kind.StringValue
	case *structpb.Value_NumberValue:
		return numberIn(kind.NumberValue)
	case *structpb.Value_StructValue:
		return objectIn(kind.StructValue)
	case *structpb.Value_ListValue:
		list := make([]any, len(kind.ListValue.GetValues()))
		for i, item := range kind.ListValue.GetValues() {
			list[i] = valueIn(item)
		}
		return list
	default:
		return nil
	}
}

// numberIn is a number as JSON writes it.
func numberIn(number float64) json.Number {
	text, err := json.Marshal(number)
	if err != nil { // NaN and the infinities, which no server sends
		return json.Number(strconv.FormatFloat(number, 'g', -1, 64))
	}
	return json.Number(text)
}

func explanationIn(message *verdictv1.Explanation) *authz.Explanation {
	if message == nil {
		return nil
	}
	e := &authz.Explanation{
		RulesLeftOut: int(message.GetRulesLeftOut()),
		FactsLeftOut: int(message.GetFactsLeftOut()),
		CutShort:     message.GetCutShort(),
	}
	for _, rule := range message.GetRules() {
		outcome := authz.RuleOutcome{
			Rule:           rule.GetRule(),
			Title:          rule.GetTitle(),
			Location:       rule.GetLocation(),
			Held:           rule.GetHeld(),
			Erred:          rule.GetErred(),
			FailedAt:       rule.GetFailedAt(),
			FailedExpr:     rule.GetFailedExpression(),
			ValuesLeftOut:  int(rule.GetValuesLeftOut()),
			MoreAttempts:   int(rule.GetMoreAttempts()),
			Passed:         int(rule.GetPassed()),
			Expressions:    int(rule.GetExpressions()),
			RestsOn:        rule.GetRestsOn(),
			RestsOnLeftOut: int(rule.GetRestsOnLeftOut()),
			Rank:           int(rule.GetRank()),
		}
		for _, v := range rule.GetValues() {
			outcome.Values = append(outcome.Values, authz.ExprValue{Text: v.GetText(), Value: v.GetValue()})
		}
		e.Rules = append(e.Rules, outcome)
	}
	for _, fact := range message.GetFacts() {
		e.Facts = append(e.Facts, authz.Fact{Ref: fact.GetRef(), Known: fact.GetKnown()})
	}
	return e
}
