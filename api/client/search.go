package client

import (
	"context"
	"iter"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// MaxPageSize is how many results a page of a search has at most.
const MaxPageSize = 1_000

// SearchOptions say how a search is made. The zero value begins one, on the latest
// revision of the directory.
type SearchOptions struct {
	// PageSize is how many results a page has at most, up to MaxPageSize; 0 means as
	// the server has it, which is 100.
	PageSize int
	// From is Page.Next of a search with the same request, to go on after that page;
	// empty begins.
	From string
	// Consistency says which directory revision is read. It is that of the first
	// page; the others stay on its revision.
	Consistency authz.Consistency
}

// A Page is results of a search.
type Page struct {
	// IDs are the ids of entities of the type that was searched for, or the names of
	// actions, in order. There may be none although there is a next page.
	IDs []string
	// Next is what SearchOptions.From takes to go on after this page; empty on the
	// last.
	Next string
	// PolicyRevision and DirectoryRevision are what all pages rest on.
	PolicyRevision    string
	DirectoryRevision uint64
	// ByIndex is whether the directory's indexes led to what the policy may allow, so
	// that not all entities of the type had to be decided.
	ByIndex bool
	// Notes say what narrowed the candidates, or why nothing could: for people.
	Notes []string
	// Candidates is how many were decided for this page.
	Candidates int
}

// SearchSubjects finds who may do the request's action on its resource: of all
// entities of the type of its subject, those that Check allows. The subject's id is
// ignored.
//
//	for page, err := range verdict.SearchSubjects(ctx, request, client.SearchOptions{}) {
//		if err != nil {
//			return err
//		}
//		… page.IDs …
//	}
//
// An error ends the search, whose pages up to it are not all that there is. Errors
// are as CheckWith's; of kind FailedPrecondition also once another policy is active
// than at the first page, or the server that had it is gone: begin the search again.
// A candidate that cannot be decided is an error too, which names it. A context
// without a deadline gives each page the client's.
//
// Obligations are not told. Where the policy has them, check each result before it is
// used.
func (c *Client) SearchSubjects(ctx context.Context, request authz.Request, options SearchOptions) iter.Seq2[Page, error] {
	return search(ctx, c, request, options,
		func(parts *verdictv1.CheckAccessRequest) *verdictv1.SearchSubjectsRequest {
			return &verdictv1.SearchSubjectsRequest{
				Tenant: parts.GetTenant(), Subject: parts.GetSubject(), Action: parts.GetAction(), Resource: parts.GetResource(),
				Context: parts.GetContext(), Consistency: parts.GetConsistency(), PageSize: int32(options.PageSize),
			}
		},
		func(message *verdictv1.SearchSubjectsRequest, token string) { message.PageToken = token },
		c.pages.SearchSubjects, (*verdictv1.SearchSubjectsResponse).GetSubjects, (*verdictv1.Subject).GetId)
}

// SearchResources finds what the request's subject may do its action on: of all
// entities of the type of its resource, those that Check allows. The resource's id is
// ignored. All else is as with SearchSubjects.
func (c *Client) SearchResources(ctx context.Context, request authz.Request, options SearchOptions) iter.Seq2[Page, error] {
	return search(ctx, c, request, options,
		func(parts *verdictv1.CheckAccessRequest) *verdictv1.SearchResourcesRequest {
			return &verdictv1.SearchResourcesRequest{
				Tenant: parts.GetTenant(), Subject: parts.GetSubject(), Action: parts.GetAction(), Resource: parts.GetResource(),
				Context: parts.GetContext(), Consistency: parts.GetConsistency(), PageSize: int32(options.PageSize),
			}
		},
		func(message *verdictv1.SearchResourcesRequest, token string) { message.PageToken = token },
		c.pages.SearchResources, (*verdictv1.SearchResourcesResponse).GetResources, (*verdictv1.Resource).GetId)
}

// SearchActions finds what the request's subject may do on its resource: of the
// members of the policy's rule actions, those that Check allows. The request's action
// is ignored. Where the policy has no such rule, that is an error of kind
// FailedPrecondition. All else is as with SearchSubjects.
func (c *Client) SearchActions(ctx context.Context, request authz.Request, options SearchOptions) iter.Seq2[Page, error] {
	request.Action = authz.Action{}
	return search(ctx, c, request, options,
		func(parts *verdictv1.CheckAccessRequest) *verdictv1.SearchActionsRequest {
			return &verdictv1.SearchActionsRequest{
				Tenant: parts.GetTenant(), Subject: parts.GetSubject(), Resource: parts.GetResource(),
				Context: parts.GetContext(), Consistency: parts.GetConsistency(), PageSize: int32(options.PageSize),
			}
		},
		func(message *verdictv1.SearchActionsRequest, token string) { message.PageToken = token },
		c.pages.SearchActions, (*verdictv1.SearchActionsResponse).GetActions, (*verdictv1.Action).GetName)
}

// A paged is the answer to a search.
type paged interface{ GetPage() *verdictv1.SearchPage }

// search goes through the pages of a search, each of which is a call.
func search[Request any, Response paged, Result any](
	ctx context.Context, c *Client, request authz.Request, options SearchOptions,
	message func(parts *verdictv1.CheckAccessRequest) *Request, turn func(message *Request, token string),
	call func(context.Context, *Request, ...grpc.CallOption) (Response, error),
	results func(Response) []Result, id func(Result) string,
) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		if options.PageSize < 0 || options.PageSize > MaxPageSize {
			yield(Page{}, authz.InvalidField("page_size", "%d: expected 1 to %d, or 0 for the server's own", options.PageSize, MaxPageSize))
			return
		}
		parts, err := c.messageOf(&request, CheckOptions{Consistency: options.Consistency})
		if err != nil {
			yield(Page{}, err)
			return
		}
		asked, next := message(parts), options.From
		for first := true; first || next != ""; first = false {
			turn(asked, next)
			response, err := inTime(ctx, c, func(ctx context.Context) (Response, error) { return call(ctx, asked) })
			if err != nil {
				if !first {
					err = lost(err)
				}
				yield(Page{}, err)
				return
			}
			found := response.GetPage()
			if found.GetNextPageToken() != "" && found.GetNextPageToken() == next {
				yield(Page{}, c.failure(ctx, status.Error(codes.Internal, "a page of the search is to be followed by itself")))
				return
			}
			page := Page{
				Next: found.GetNextPageToken(), PolicyRevision: found.GetPolicyRevision(), DirectoryRevision: found.GetDirectoryRevision(),
				ByIndex: found.GetMethod() == verdictv1.SearchMethod_SEARCH_METHOD_INDEX,
				Notes:   found.GetNotes(), Candidates: int(found.GetCandidates()),
			}
			for _, result := range results(response) {
				page.IDs = append(page.IDs, id(result))
			}
			if next = page.Next; !yield(page, nil) {
				return
			}
		}
	}
}

// lost is the error of a page that is not the first. The request was accepted before,
// so what is invalid about it can only be the token: tokens are the server's own, and
// this is another, or it has begun anew.
func lost(err error) error {
	if authz.KindOf(err) != authz.Invalid {
		return err
	}
	return &authz.Error{Kind: authz.FailedPrecondition, Message: "the server that began the search is gone: begin it again", Err: err}
}
