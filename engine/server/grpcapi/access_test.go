package grpcapi

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

func TestRequestReachesTheDecider(t *testing.T) {
	properties := func(name string, value any) *structpb.Struct {
		s, err := structpb.NewStruct(map[string]any{name: value})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	tests := []struct {
		name        string
		message     *verdictv1.CheckAccessRequest
		want        *authz.Request
		wantOptions pdp.DecideOptions
	}{
		{
			name:    "nothing at all, which is the decider's to refuse",
			message: &verdictv1.CheckAccessRequest{},
			want:    &authz.Request{Tenant: authz.DefaultTenant},
		},
		{
			name: "everything",
			message: &verdictv1.CheckAccessRequest{
				Tenant:      "blue",
				Subject:     &verdictv1.Subject{Type: "user", Id: "mina", Properties: properties("role", "nurse")},
				Action:      &verdictv1.Action{Name: "read", Properties: properties("soft", true)},
				Resource:    &verdictv1.Resource{Type: "record", Id: "p-1", Properties: properties("tags", []any{"a", nil, 1.5})},
				Context:     properties("device", map[string]any{"trusted": false}),
				Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{Exact: 7}},
				Explain:     true,
			},
			want: &authz.Request{
				Tenant:   "blue",
				Subject:  authz.Subject{Type: "user", ID: "mina", Properties: authz.Object{"role": "nurse"}},
				Action:   authz.Action{Name: "read", Properties: authz.Object{"soft": true}},
				Resource: authz.Resource{Type: "record", ID: "p-1", Properties: authz.Object{"tags": []any{"a", nil, 1.5}}},
				Context:  authz.Object{"device": authz.Object{"trusted": false}},
			},
			wantOptions: pdp.DecideOptions{Consistency: authz.Consistency{Exact: 7}, Explain: true},
		},
		{
			name: "a revision to wait for",
			message: &verdictv1.CheckAccessRequest{
				Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: 9}},
			},
			want:        &authz.Request{Tenant: authz.DefaultTenant},
			wantOptions: pdp.DecideOptions{Consistency: authz.Consistency{AtLeast: 9}},
		},
		{
			name: "the latest revision",
			message: &verdictv1.CheckAccessRequest{
				Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Latest_{Latest: &verdictv1.Consistency_Latest{}}},
			},
			want: &authz.Request{Tenant: authz.DefaultTenant},
		},
	}
	var got *authz.Request
	var gotOptions pdp.DecideOptions
	_, conn := start(t, Options{Decider: decideFunc(func(_ context.Context, request *authz.Request, options pdp.DecideOptions) (authz.Decision, error) {
		got, gotOptions = request, options
		return authz.Decision{Allowed: true}, nil
	})})
	client := verdictv1.NewAccessServiceClient(conn)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := client.CheckAccess(t.Context(), tt.message); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.wantOptions, gotOptions); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecisionReachesTheCaller(t *testing.T) {
	obligations := &structpb.Struct{Fields: map[string]*structpb.Value{
		"quota": structpb.NewNumberValue(100), "id": structpb.NewStringValue("9007199254740993"),
	}}
	tests := []struct {
		name     string
		decision authz.Decision
		want     *verdictv1.CheckAccessResponse
	}{
		{"a bare deny", authz.Decision{}, &verdictv1.CheckAccessResponse{}},
		{
			"everything",
			authz.Decision{
				Allowed: true, Reasons: []string{"on the ward"},
				Obligations: authz.Object{"quota": json.Number("100"), "id": json.Number("9007199254740993")},
				ID:          "d1", PolicyRevision: "p7", DirectoryRevision: math.MaxUint64,
				Explanation: &authz.Explanation{
					Rules: []authz.RuleOutcome{
						{Rule: "data.authz.allow", Title: "Staff", Location: "a.rego:3", Erred: true, FailedAt: "a.rego:4", FailedExpr: "x == 1"},
						{
							Rule: "data.authz.allow", Location: "a.rego:9", FailedAt: "a.rego:10", FailedExpr: "open[x]",
							Values: []authz.ExprValue{{Text: "x", Value: "2"}, {Text: "open[x]"}}, ValuesLeftOut: 4, MoreAttempts: 7, RestsOnLeftOut: 8,
							Passed: 1, Expressions: 3, RestsOn: []string{"data.authz.open"}, Rank: 2,
						},
					},
					Facts: []authz.Fact{{Ref: "user:mina", Known: true}, {Ref: "user:nobody"}},

					RulesLeftOut: 5, FactsLeftOut: 6, CutShort: "the time is up",
				},
			},
			&verdictv1.CheckAccessResponse{
				Allowed: true, Reasons: []string{"on the ward"}, Obligations: obligations,
				DecisionId: "d1", PolicyRevision: "p7", DirectoryRevision: math.MaxUint64,
				Explanation: &verdictv1.Explanation{
					Rules: []*verdictv1.RuleOutcome{
						{Rule: "data.authz.allow", Title: "Staff", Location: "a.rego:3", Erred: true, FailedAt: "a.rego:4", FailedExpression: "x == 1"},
						{
							Rule: "data.authz.allow", Location: "a.rego:9", FailedAt: "a.rego:10", FailedExpression: "open[x]",
							Values: []*verdictv1.ExpressionValue{{Text: "x", Value: "2"}, {Text: "open[x]"}}, ValuesLeftOut: 4, MoreAttempts: 7, RestsOnLeftOut: 8,
							Passed: 1, Expressions: 3, RestsOn: []string{"data.authz.open"}, Rank: 2,
						},
					},
					Facts: []*verdictv1.Fact{{Ref: "user:mina", Known: true}, {Ref: "user:nobody"}},

					RulesLeftOut: 5, FactsLeftOut: 6, CutShort: "the time is up",
				},
			},
		},
		{
			"an error, which is never an allow",
			authz.Decision{Allowed: true, ID: "d1", Err: authz.Errorf(authz.LimitExceeded, "evaluation time 100ms")},
			&verdictv1.CheckAccessResponse{
				DecisionId: "d1",
				Error:      &verdictv1.DecisionError{Kind: verdictv1.ErrorKind_ERROR_KIND_LIMIT_EXCEEDED, Message: "evaluation time 100ms"},
			},
		},
		{
			"an internal error, which stays in the log",
			authz.Decision{ID: "d1", Err: errors.New("secret")},
			&verdictv1.CheckAccessResponse{
				DecisionId: "d1",
				Error: &verdictv1.DecisionError{
					Kind: verdictv1.ErrorKind_ERROR_KIND_INTERNAL, Message: "internal error: the server's log has more under decision d1",
				},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zap.DebugLevel)
			_, conn := start(t, Options{
				Logger: zap.New(core),
				Decider: decideFunc(func(context.Context, *authz.Request, pdp.DecideOptions) (authz.Decision, error) {
					return tt.decision, nil
				}),
			})
			got, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(t.Context(), &verdictv1.CheckAccessRequest{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("response (-want +got):\n%s", diff)
			}
			if logs.Len() > 0 { // the decider has logged it
				t.Errorf("logged %v", logs.All())
			}
		})
	}
}

func TestWhatIsNoDecision(t *testing.T) {
	tests := []struct {
		name string
		err  error
		code codes.Code
	}{
		{"an unknown tenant", authz.Errorf(authz.NotFound, "unknown tenant"), codes.NotFound},
		{"a revision that is gone", authz.Errorf(authz.FailedPrecondition, "gone"), codes.FailedPrecondition},
		{"no policy yet", authz.Errorf(authz.Unavailable, "no policy"), codes.Unavailable},
		{"a deadline", context.DeadlineExceeded, codes.DeadlineExceeded},
		{"a fault", errors.New("secret"), codes.Internal},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zap.ErrorLevel)
			_, conn := start(t, Options{
				Logger: zap.New(core),
				Decider: decideFunc(func(context.Context, *authz.Request, pdp.DecideOptions) (authz.Decision, error) {
					return authz.Decision{}, tt.err
				}),
			})
			_, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(t.Context(), &verdictv1.CheckAccessRequest{})
			st := wantStatus(t, err, tt.code)
			internal := tt.code == codes.Internal
			if strings.Contains(st.Message(), "secret") {
				t.Errorf("the caller was told %q", st.Message())
			}
			if logged := logs.Len() > 0; logged != internal {
				t.Errorf("logged = %v, want %v", logged, internal)
			}
		})
	}
}

func TestRequestsThatOnlyTheWireCanGetWrong(t *testing.T) {
	number := func(n float64) *structpb.Struct {
		return &structpb.Struct{Fields: map[string]*structpb.Value{"n": structpb.NewNumberValue(n)}}
	}
	tests := []struct {
		name    string
		message *verdictv1.CheckAccessRequest
		fields  []string
	}{
		{
			"numbers in every part",
			&verdictv1.CheckAccessRequest{
				Subject:  &verdictv1.Subject{Properties: number(math.NaN())},
				Action:   &verdictv1.Action{Properties: number(math.Inf(-1))},
				Resource: &verdictv1.Resource{Properties: number(1 << 53)},
				Context:  number(-1e300),
			},
			[]string{"subject.properties.n", "action.properties.n", "resource.properties.n", "context.n"},
		},
		{
			"the exact revision 0",
			&verdictv1.CheckAccessRequest{Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{}}},
			[]string{"consistency.exact"},
		},
	}
	_, conn := start(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(t.Context(), tt.message)
			wantFields(t, err, tt.fields...)
		})
	}
}
