package grpcapi

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// TestAnswersHoldTextThatIsNotUTF8 holds that a policy which makes such text,
// by base64.decode for example, keeps no caller from the decision, nor from
// those that share its batch or stream.
func TestAnswersHoldTextThatIsNotUTF8(t *testing.T) {
	_, conn := start(t, Options{
		Decider: decideFunc(func(context.Context, *authz.Request, pdp.DecideOptions) (authz.Decision, error) {
			return authz.Decision{
				Reasons:     []string{"a\xff", "b"},
				Obligations: authz.Object{"k\xff": []any{"v\xff", authz.Object{"deep": "\xffw"}}, "other": 1.0},
				Err:         authz.Errorf(authz.Evaluation, "no \xff"),
				Explanation: &authz.Explanation{
					Rules: []authz.RuleOutcome{{Rule: "data.authz.allow", FailedExpr: "x == \xff", Values: []authz.ExprValue{{Text: "x", Value: "\"\xff\""}}}},
					Facts: []authz.Fact{{Ref: "user:\xff"}},
				},
			}, nil
		}),
		Policies: policies{{Tenant: "default", LastError: "pol\xff/authz.rego: no"}},
	})
	obligations, err := structpb.NewStruct(map[string]any{"k\ufffd": []any{"v\ufffd", map[string]any{"deep": "\ufffdw"}}, "other": 1})
	if err != nil {
		t.Fatal(err)
	}
	want := &verdictv1.CheckAccessResponse{
		Reasons:     []string{"a\ufffd", "b"},
		Obligations: obligations,
		Error:       &verdictv1.DecisionError{Kind: verdictv1.ErrorKind_ERROR_KIND_EVALUATION, Message: "no \ufffd"},
		Explanation: &verdictv1.Explanation{
			Rules: []*verdictv1.RuleOutcome{{Rule: "data.authz.allow", FailedExpression: "x == \ufffd", Values: []*verdictv1.ExpressionValue{{Text: "x", Value: "\"\ufffd\""}}}},
			Facts: []*verdictv1.Fact{{Ref: "user:\ufffd"}},
		},
	}
	check := func(way string, got *verdictv1.CheckAccessResponse, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", way, err)
		} else if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", way, diff)
		}
	}
	client := verdictv1.NewAccessServiceClient(conn)
	one, err := client.CheckAccess(t.Context(), &verdictv1.CheckAccessRequest{})
	check("alone", one, err)
	batch, err := client.BatchCheckAccess(t.Context(), &verdictv1.BatchCheckAccessRequest{Items: []*verdictv1.BatchCheckAccessItem{{}, {}}})
	if err != nil {
		t.Fatal(err)
	}
	check("in a batch", batch.GetResponses()[1], nil)
	stream, err := client.StreamCheckAccess(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := stream.Send(&verdictv1.StreamCheckAccessRequest{Request: &verdictv1.CheckAccessRequest{}}); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		check("on a stream", answer.GetResponse(), err)
	}
	status, err := verdictv1.NewPolicyServiceClient(conn).GetStatus(t.Context(), &verdictv1.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := status.GetPolicies()[0].GetLastError(); got != "pol\ufffd/authz.rego: no" {
		t.Errorf("status: %q", got)
	}
}
