package grpcapi

import (
	"context"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

func TestBatchDefaults(t *testing.T) {
	var got []*authz.Request
	_, conn := start(t, Options{Decider: decideFunc(func(_ context.Context, request *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
		got = append(got, request)
		return authz.Decision{}, nil
	})})
	_, err := verdictv1.NewAccessServiceClient(conn).BatchCheckAccess(t.Context(), &verdictv1.BatchCheckAccessRequest{
		Tenant:   "blue",
		Subject:  &verdictv1.Subject{Type: "user", Id: "mina", Properties: &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewBoolValue(true)}}},
		Action:   &verdictv1.Action{Name: "read"},
		Resource: &verdictv1.Resource{Type: "record", Id: "1"},
		Context:  &structpb.Struct{Fields: map[string]*structpb.Value{"mfa": structpb.NewBoolValue(true)}},
		Items: []*verdictv1.BatchCheckAccessItem{
			{},
			{Subject: &verdictv1.Subject{Type: "user"}, Resource: &verdictv1.Resource{Type: "record", Id: "2"}},
			{Action: &verdictv1.Action{Name: "write"}, Context: &structpb.Struct{}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mina := authz.Subject{Type: "user", ID: "mina", Properties: authz.Object{"a": true}}
	mfa := authz.Object{"mfa": true}
	want := []*authz.Request{
		{Tenant: "blue", Subject: mina, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "record", ID: "1"}, Context: mfa},
		{Tenant: "blue", Subject: authz.Subject{Type: "user"}, Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "record", ID: "2"}, Context: mfa},
		{Tenant: "blue", Subject: mina, Action: authz.Action{Name: "write"}, Resource: authz.Resource{Type: "record", ID: "1"}, Context: authz.Object{}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestBatchAnswers(t *testing.T) {
	const (
		all           = verdictv1.EvaluationsSemantic_EVALUATIONS_SEMANTIC_EXECUTE_ALL
		denyOnFirst   = verdictv1.EvaluationsSemantic_EVALUATIONS_SEMANTIC_DENY_ON_FIRST_DENY
		permitOnFirst = verdictv1.EvaluationsSemantic_EVALUATIONS_SEMANTIC_PERMIT_ON_FIRST_PERMIT
	)
	// The letters are the items and the answers: r for read, which is allowed,
	// w for write, which is denied, x for an item that cannot be converted.
	tests := []struct {
		name     string
		semantic verdictv1.EvaluationsSemantic
		items    string
		want     string
	}{
		{"no semantic", 0, "rwr", "rwr"},
		{"all", all, "wrw", "wrw"},
		{"all, with a bad item", all, "rxr", "rxr"},
		{"all bad", all, "xx", "xx"},
		{"deny on first: the deny", denyOnFirst, "rrwr", "rrw"},
		{"deny on first: a bad item is a deny", denyOnFirst, "rxr", "rx"},
		{"deny on first: a deny before the bad item", denyOnFirst, "rwrx", "rw"},
		{"deny on first: a bad item at once", denyOnFirst, "xr", "x"},
		{"deny on first: none", denyOnFirst, "rr", "rr"},
		{"permit on first: the permit", permitOnFirst, "wwrw", "wwr"},
		{"permit on first: past a bad item", permitOnFirst, "wxrx", "wxr"},
		{"permit on first: before a bad item", permitOnFirst, "rx", "r"},
		{"permit on first: none", permitOnFirst, "wxw", "wxw"},
	}
	_, conn := start(t, Options{})
	client := verdictv1.NewAccessServiceClient(conn)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := &verdictv1.BatchCheckAccessRequest{EvaluationsSemantic: tt.semantic}
			for _, item := range tt.items {
				action := &verdictv1.Action{Name: map[rune]string{'r': "read", 'w': "write"}[item]}
				if item == 'x' {
					action.Properties = &structpb.Struct{Fields: map[string]*structpb.Value{"n": structpb.NewNumberValue(math.NaN())}}
				}
				request.Items = append(request.Items, &verdictv1.BatchCheckAccessItem{Action: action})
			}
			response, err := client.BatchCheckAccess(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, answer := range response.GetResponses() {
				switch {
				case answer.GetAllowed():
					got += "r"
				case answer.GetError() == nil:
					got += "w"
				case answer.GetError().GetKind() == verdictv1.ErrorKind_ERROR_KIND_INVALID &&
					answer.GetError().GetViolations()[0].GetField() == "action.properties.n":
					got += "x"
				default:
					t.Errorf("an unexpected answer: %v", answer)
				}
			}
			if got != tt.want {
				t.Errorf("answers = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBatchSizeAtTheLimit(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewAccessServiceClient(conn)
	items := func(n int) *verdictv1.BatchCheckAccessRequest {
		request := &verdictv1.BatchCheckAccessRequest{}
		for range n {
			request.Items = append(request.Items, &verdictv1.BatchCheckAccessItem{})
		}
		return request
	}
	response, err := client.BatchCheckAccess(t.Context(), items(pdp.MaxBatch))
	if err != nil || len(response.GetResponses()) != pdp.MaxBatch {
		t.Errorf("%d items: %d answers, %v", pdp.MaxBatch, len(response.GetResponses()), err)
	}
	_, err = client.BatchCheckAccess(t.Context(), items(pdp.MaxBatch+1))
	wantFields(t, err, "items")
	_, err = client.BatchCheckAccess(t.Context(), items(0))
	wantFields(t, err, "items")
}

func TestRefusedBatches(t *testing.T) {
	item := []*verdictv1.BatchCheckAccessItem{{}}
	tests := []struct {
		name    string
		message *verdictv1.BatchCheckAccessRequest
		field   string
	}{
		{"a semantic of the future", &verdictv1.BatchCheckAccessRequest{Items: item, EvaluationsSemantic: 99}, "evaluations_semantic"},
		{
			"defaults that cannot be converted",
			&verdictv1.BatchCheckAccessRequest{Items: item, Context: &structpb.Struct{Fields: map[string]*structpb.Value{"a": {}}}},
			"context.a",
		},
		{
			"the exact revision 0",
			&verdictv1.BatchCheckAccessRequest{Items: item, Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{}}},
			"consistency.exact",
		},
	}
	_, conn := start(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := verdictv1.NewAccessServiceClient(conn).BatchCheckAccess(t.Context(), tt.message)
			wantFields(t, err, tt.field)
		})
	}
}
