package grpcapi

import (
	"context"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A searchRequest is a message that asks for a page of a search.
type searchRequest interface {
	parts
	pageRequest
}

// SearchSubjects finds a page of subjects.
func (s *accessServer) SearchSubjects(ctx context.Context, message *verdictv1.SearchSubjectsRequest) (*verdictv1.SearchSubjectsResponse, error) {
	found, err := s.search(ctx, pdp.Subjects, message)
	if err != nil {
		return nil, err
	}
	response := &verdictv1.SearchSubjectsResponse{Page: searchPage(found)}
	for _, id := range found.IDs {
		response.Subjects = append(response.Subjects, &verdictv1.Subject{Type: message.GetSubject().GetType(), Id: id})
	}
	return response, nil
}

// SearchResources finds a page of resources.
func (s *accessServer) SearchResources(ctx context.Context, message *verdictv1.SearchResourcesRequest) (*verdictv1.SearchResourcesResponse, error) {
	found, err := s.search(ctx, pdp.Resources, message)
	if err != nil {
		return nil, err
	}
	response := &verdictv1.SearchResourcesResponse{Page: searchPage(found)}
	for _, id := range found.IDs {
		response.Resources = append(response.Resources, &verdictv1.Resource{Type: message.GetResource().GetType(), Id: id})
	}
	return response, nil
}

// SearchActions finds a page of actions.
func (s *accessServer) SearchActions(ctx context.Context, message *verdictv1.SearchActionsRequest) (*verdictv1.SearchActionsResponse, error) {
	found, err := s.search(ctx, pdp.Actions, ofAnyAction{message})
	if err != nil {
		return nil, err
	}
	response := &verdictv1.SearchActionsResponse{Page: searchPage(found)}
	for _, name := range found.IDs {
		response.Actions = append(response.Actions, &verdictv1.Action{Name: name})
	}
	return response, nil
}

// ofAnyAction is a search without an action.
type ofAnyAction struct {
	*verdictv1.SearchActionsRequest
}

func (ofAnyAction) GetAction() *verdictv1.Action { return nil }

func (s *accessServer) search(ctx context.Context, what pdp.SearchFor, message searchRequest) (pdp.Found, error) {
	request := &authz.Request{Tenant: tenantOf(message.GetTenant())}
	if err := setParts(request, message); err != nil {
		return pdp.Found{}, err
	}
	consistency, err := consistencyOf(message.GetConsistency())
	if err != nil {
		return pdp.Found{}, err
	}
	return s.searcher.Search(ctx, pdp.Search{
		For: what, Request: request, Limit: int(message.GetPageSize()), Token: message.GetPageToken(), Consistency: consistency,
	})
}

func searchPage(found pdp.Found) *verdictv1.SearchPage {
	method := verdictv1.SearchMethod_SEARCH_METHOD_SCAN
	if found.Method == pdp.ByIndex {
		method = verdictv1.SearchMethod_SEARCH_METHOD_INDEX
	}
	return &verdictv1.SearchPage{
		NextPageToken:     found.Next,
		PolicyRevision:    found.PolicyRevision,
		DirectoryRevision: found.DirectoryRevision,
		Method:            method,
		Notes:             found.Notes,
		Candidates:        uint64(found.Candidates),
	}
}
