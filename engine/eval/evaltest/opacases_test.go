package evaltest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// A suite that nothing fails holds no evaluator to anything.
func TestOPACasesFail(t *testing.T) {
	text := func(s string) *string { return &s }
	answers := func(values ...ast.Value) Querier {
		return func(context.Context, Query) (all []map[string]ast.Value, err error) {
			for _, value := range values {
				all = append(all, map[string]ast.Value{"x": value})
			}
			return all, nil
		}
	}
	fails := func(err error) Querier {
		return func(context.Context, Query) ([]map[string]ast.Value, error) { return nil, err }
	}
	conflict := fmt.Errorf("evaluating: %w", &topdown.Error{Code: topdown.ConflictErr, Message: "two values"})
	one := &[]map[string]any{{"x": 1}}
	tests := []struct {
		name  string
		want  cases.TestCase
		query Querier
		words bool
		holds bool
	}{
		{name: "the answer", want: cases.TestCase{WantResult: one}, query: answers(ast.Number("1")), holds: true},
		{name: "the answer twice", want: cases.TestCase{WantResult: one}, query: answers(ast.Number("1"), ast.Number("1")), holds: true},
		{name: "another answer", want: cases.TestCase{WantResult: one}, query: answers(ast.Number("2"))},
		{name: "one answer more", want: cases.TestCase{WantResult: one}, query: answers(ast.Number("1"), ast.Number("2"))},
		{name: "no answer", want: cases.TestCase{WantResult: one}, query: answers()},
		{name: "an answer where none is wanted", want: cases.TestCase{WantResult: &[]map[string]any{}}, query: answers(ast.Number("1"))},
		{name: "an error instead of an answer", want: cases.TestCase{WantResult: one}, query: fails(conflict)},
		{name: "no error", want: cases.TestCase{WantErrorCode: text(topdown.ConflictErr)}, query: answers(ast.Number("1"))},
		{name: "the error's code", want: cases.TestCase{WantErrorCode: text(topdown.ConflictErr)}, query: fails(conflict), holds: true},
		{name: "another code", want: cases.TestCase{WantErrorCode: text(topdown.TypeErr)}, query: fails(conflict)},
		{name: "an error without a code", want: cases.TestCase{WantErrorCode: text(topdown.TypeErr)}, query: fails(errors.New("no"))},
		{name: "an error of no evaluation", want: cases.TestCase{WantError: text("no")}, query: fails(errors.New("no"))},
		{name: "no error of any wording", want: cases.TestCase{WantError: text("eval_conflict_error: two values")}, query: answers(), words: true},
		{name: "the wording", want: cases.TestCase{WantError: text("eval_conflict_error: two values")}, query: fails(conflict), words: true, holds: true},
		{name: "another wording", want: cases.TestCase{WantError: text("eval_conflict_error: 2 values")}, query: fails(conflict), words: true},
		{name: "a wording that is not compared", want: cases.TestCase{WantError: text("eval_conflict_error: 2 values")}, query: fails(conflict), holds: true},
		{name: "another code in the wording", want: cases.TestCase{WantError: text("eval_type_error: two values")}, query: fails(conflict)},
		{name: "nothing wanted", query: answers()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.Query = "x = 1"
			failure := opaCase{TestCase: tt.want, version: ast.RegoV1, wording: tt.words}.check(t.Context(), tt.query)
			if holds := failure == nil; holds != tt.holds {
				t.Errorf("the case is judged %v", failure)
			}
		})
	}
}

func TestAnExceptionThatPassesFails(t *testing.T) {
	if excepted(nil, "it does not terminate") == nil {
		t.Error("a case that passes stays an exception")
	}
	if err := excepted(errors.New("difference"), "it does not terminate"); err != nil {
		t.Errorf("an exception fails: %v", err)
	}
}

func TestExceptionsAreFewAndSayWhy(t *testing.T) {
	const most = 9
	if len(exceptions) > most {
		t.Errorf("there are %d exceptions, more than %d", len(exceptions), most)
	}
	for _, e := range exceptions {
		if e.reason == "" {
			t.Errorf("the exception %s says no reason", e.name)
		}
	}
}
