package authzen

import (
	"context"
	"net/http"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A Searcher finds what a decision would allow. *pdp.PDP is one.
type Searcher interface {
	Search(ctx context.Context, search pdp.Search) (pdp.Found, error)
}

// search is the Search API for subjects, resources or actions (section 8).
func (s *server) search(what pdp.SearchFor) func(ctx context.Context, r *http.Request, body []byte) (any, error) {
	return func(ctx context.Context, r *http.Request, body []byte) (any, error) {
		asked, err := decodeSearch(body, what)
		if err != nil {
			return nil, err
		}
		request := asked.request(tenantOf(r))
		found, err := s.searcher.Search(ctx, pdp.Search{
			For: what, Request: request, Limit: asked.limit, Token: asked.token,
		})
		if err != nil {
			return nil, inPage(err)
		}
		response := searchResponse{Results: make([]searchResult, len(found.IDs))}
		for i, id := range found.IDs {
			response.Results[i] = resultOf(what, request, id)
		}
		if asked.paged || found.Next != "" {
			response.Page = &pageResponse{NextToken: found.Next, Count: len(found.IDs)}
		}
		if !s.leaveOut.has(Revisions) {
			response.Context = &searchContext{found.PolicyRevision, found.DirectoryRevision, found.Method.String()}
		}
		return response, nil
	}
}

// A searchResponse is a page of results (section 8.3). The page comes first, so
// that who reads it knows how many results there are.
type searchResponse struct {
	Page    *pageResponse  `json:"page,omitempty"`
	Context *searchContext `json:"context,omitempty"`
	Results []searchResult `json:"results"`
}

// A pageResponse is there when a page was asked for, and when there is a next one
// (section 8.2.2).
type pageResponse struct {
	NextToken string `json:"next_token"`
	Count     int    `json:"count"`
}

type searchContext struct {
	PolicyRevision    string `json:"policy_revision"`
	DirectoryRevision uint64 `json:"directory_revision"`
	Method            string `json:"method"`
}

// A searchResult is a subject or a resource, or an action by its name.
type searchResult struct {
	Type string `json:"type,omitempty"`
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

func resultOf(what pdp.SearchFor, request *authz.Request, id string) searchResult {
	switch what {
	case pdp.Subjects:
		return searchResult{Type: request.Subject.Type, ID: id}
	case pdp.Resources:
		return searchResult{Type: request.Resource.Type, ID: id}
	default:
		return searchResult{Name: id}
	}
}

// inPage names the fields of an error about a page as they are in a body.
func inPage(err error) error {
	fields := map[string]string{"page_size": "page.limit", "page_token": "page.token"}
	violations := authz.ViolationsOf(err)
	renamed := make([]error, 0, len(violations))
	for _, v := range violations {
		field, is := fields[v.Field]
		if !is {
			return err
		}
		renamed = append(renamed, authz.InvalidField(field, "%s", v.Description))
	}
	if len(renamed) == 0 {
		return err
	}
	return authz.JoinInvalid(renamed)
}
