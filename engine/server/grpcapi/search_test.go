package grpcapi

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A searchFunc searches by a function.
type searchFunc func(context.Context, pdp.Search) (pdp.Found, error)

func (f searchFunc) Search(ctx context.Context, s pdp.Search) (pdp.Found, error) { return f(ctx, s) }

func TestSearches(t *testing.T) {
	var asked pdp.Search
	found := pdp.Found{
		IDs: []string{"a", "b"}, Next: "more", PolicyRevision: "p1", DirectoryRevision: 7,
		Method: pdp.ByIndex, Notes: []string{"by owner"}, Candidates: 3,
	}
	_, conn := start(t, Options{Searcher: searchFunc(func(_ context.Context, s pdp.Search) (pdp.Found, error) {
		asked = s
		return found, nil
	})})
	client := verdictv1.NewAccessServiceClient(conn)
	properties, err := structpb.NewStruct(map[string]any{"mfa": true})
	if err != nil {
		t.Fatal(err)
	}
	page := &verdictv1.SearchPage{
		NextPageToken: "more", PolicyRevision: "p1", DirectoryRevision: 7,
		Method: verdictv1.SearchMethod_SEARCH_METHOD_INDEX, Notes: []string{"by owner"}, Candidates: 3,
	}
	exact := &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{Exact: 7}}
	subject := &verdictv1.Subject{Type: "user", Id: "mina", Properties: properties}
	action, resource := &verdictv1.Action{Name: "read"}, &verdictv1.Resource{Type: "record", Id: "r1"}
	want := pdp.Search{
		Request: &authz.Request{
			Tenant:   "blue",
			Subject:  authz.Subject{Type: "user", ID: "mina", Properties: authz.Object{"mfa": true}},
			Action:   authz.Action{Name: "read"},
			Resource: authz.Resource{Type: "record", ID: "r1"},
			Context:  authz.Object{"mfa": true},
		},
		Limit: 2, Token: "there", Consistency: authz.Consistency{Exact: 7},
	}

	t.Run("subjects", func(t *testing.T) {
		got, err := client.SearchSubjects(t.Context(), &verdictv1.SearchSubjectsRequest{
			Tenant: "blue", Subject: subject, Action: action, Resource: resource, Context: properties, Consistency: exact, PageSize: 2, PageToken: "there",
		})
		checkSearch(t, err, got, &verdictv1.SearchSubjectsResponse{Subjects: []*verdictv1.Subject{{Type: "user", Id: "a"}, {Type: "user", Id: "b"}}, Page: page})
		want := want
		want.For = pdp.Subjects
		checkSearch(t, nil, asked, want)
	})
	t.Run("resources", func(t *testing.T) {
		got, err := client.SearchResources(t.Context(), &verdictv1.SearchResourcesRequest{
			Tenant: "blue", Subject: subject, Action: action, Resource: resource, Context: properties, Consistency: exact, PageSize: 2, PageToken: "there",
		})
		checkSearch(t, err, got, &verdictv1.SearchResourcesResponse{Resources: []*verdictv1.Resource{{Type: "record", Id: "a"}, {Type: "record", Id: "b"}}, Page: page})
		want := want
		want.For = pdp.Resources
		checkSearch(t, nil, asked, want)
	})
	t.Run("actions", func(t *testing.T) {
		got, err := client.SearchActions(t.Context(), &verdictv1.SearchActionsRequest{
			Tenant: "blue", Subject: subject, Resource: resource, Context: properties, Consistency: exact, PageSize: 2, PageToken: "there",
		})
		checkSearch(t, err, got, &verdictv1.SearchActionsResponse{Actions: []*verdictv1.Action{{Name: "a"}, {Name: "b"}}, Page: page})
		want, request := want, *want.Request
		want.For, request.Action = pdp.Actions, authz.Action{}
		want.Request = &request
		checkSearch(t, nil, asked, want)
	})
	t.Run("the default tenant, nothing found", func(t *testing.T) {
		found = pdp.Found{Method: pdp.ByScan}
		got, err := client.SearchActions(t.Context(), &verdictv1.SearchActionsRequest{})
		checkSearch(t, err, got, &verdictv1.SearchActionsResponse{Page: &verdictv1.SearchPage{Method: verdictv1.SearchMethod_SEARCH_METHOD_SCAN}})
		if asked.Request.Tenant != authz.DefaultTenant {
			t.Errorf("tenant %q", asked.Request.Tenant)
		}
	})
}

func checkSearch(t *testing.T, err error, got, want any) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestSearchesThatAreRefused(t *testing.T) {
	refusing := searchFunc(func(_ context.Context, s pdp.Search) (pdp.Found, error) {
		if s.Limit < 0 {
			return pdp.Found{}, authz.InvalidField("page_size", "below nothing")
		}
		return pdp.Found{}, authz.Errorf(authz.FailedPrecondition, "begin again")
	})
	_, conn := start(t, Options{Searcher: refusing})
	client := verdictv1.NewAccessServiceClient(conn)
	_, err := client.SearchActions(t.Context(), &verdictv1.SearchActionsRequest{})
	wantStatus(t, err, codes.FailedPrecondition)
	_, err = client.SearchActions(t.Context(), &verdictv1.SearchActionsRequest{PageSize: -1})
	wantFields(t, err, "page_size")
	_, err = client.SearchSubjects(t.Context(), &verdictv1.SearchSubjectsRequest{Context: &structpb.Struct{Fields: map[string]*structpb.Value{"x": {}}}})
	wantFields(t, err, "context.x")
	_, err = client.SearchResources(t.Context(), &verdictv1.SearchResourcesRequest{Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{}}})
	wantFields(t, err, "consistency.exact")
}
