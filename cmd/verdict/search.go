package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A search is the verb's flags.
type search struct {
	question
	limit   int
	explain bool
}

func newSearchCommand(p *printer) *cobra.Command {
	var s search
	cmd := &cobra.Command{
		Use:   "search SUBJECT [ACTION] RESOURCE",
		Short: "Find who may do something, what it may be done to, or what may be done",
		Long: `Find who may do something, what it may be done to, or what may be done.

What is searched for is left out: a type without an id finds the subjects or the
resources of that type that the policy allows, and no action finds the actions.
All entities of the type in the directory count, and all members of the policy's
rule actions.

Exit code: 0 when something is found, 1 when nothing is, 2 error.`,
		Example: `  verdict search user read patient_record:p-102      who may read it
  verdict search user:mina read patient_record       what mina may read
  verdict search user:mina patient_record:p-102      what mina may do with it
  verdict search user:mina read document --bundle ./policy --directory directory.jsonl --explain`,
		Args: arguments(2, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, err := s.asked(args)
			if err != nil {
				return err
			}
			if s.limit < 0 {
				return fmt.Errorf("--limit %d: expected 1 or more, or 0 for all", s.limit)
			}
			ctx, cancel := s.bounded(cmd.Context())
			defer cancel()
			found, err := s.find(ctx, asked)
			if err != nil {
				return s.inTime(ctx, err)
			}
			if err := p.printFound(asked, found, s.explain); err != nil {
				return err
			}
			if len(found.IDs) == 0 {
				return errNo
			}
			return nil
		},
	}
	s.addFlags(cmd)
	cmd.Flags().IntVar(&s.limit, "limit", 0, "find at most `N`; 0 finds all")
	cmd.Flags().BoolVar(&s.explain, "explain", false, "show how the candidates were found, and why an index could not be used")
	return cmd
}

// asked is the search that the arguments and flags describe.
func (s *search) asked(args []string) (pdp.Search, error) {
	r := new(authz.Request)
	var hasSubject, hasResource bool
	r.Subject.Type, r.Subject.ID, hasSubject = strings.Cut(args[0], ":")
	r.Resource.Type, r.Resource.ID, hasResource = strings.Cut(args[len(args)-1], ":")
	asked := pdp.Search{Request: r}
	switch {
	case len(args) == 2 && hasSubject && hasResource:
		asked.For = pdp.Actions
	case len(args) == 2:
		return asked, errors.New("without an action, subject and resource are both written type:id: the actions are searched for")
	case hasSubject == hasResource && hasSubject:
		return asked, errors.New("nothing is searched for: leave out an id, such as user instead of user:mina, or the action; verdict check decides")
	case hasSubject == hasResource:
		return asked, errors.New("subject and resource both have no id: one of them is searched for, the other is written type:id")
	case hasResource:
		asked.For = pdp.Subjects
	default:
		asked.For = pdp.Resources
	}
	if len(args) == 3 {
		r.Action.Name = args[1]
	}
	return asked, s.set(r)
}

// A pager answers a page of a search.
type pager func(ctx context.Context, asked pdp.Search) (pdp.Found, error)

// find goes through the pages of a search.
func (s *search) find(ctx context.Context, asked pdp.Search) (pdp.Found, error) {
	if s.bundle != "" {
		point, err := s.open(ctx)
		if err != nil {
			return pdp.Found{}, err
		}
		found, err := s.pages(ctx, point.decisions.Search, asked)
		return found, errors.Join(err, point.Close())
	}
	conn, err := s.dial()
	if err != nil {
		return pdp.Found{}, err
	}
	defer conn.Close()
	return s.pages(ctx, s.remotePager(verdictv1.NewAccessServiceClient(conn)), asked)
}

func (s *search) pages(ctx context.Context, page pager, asked pdp.Search) (pdp.Found, error) {
	asked.Limit = pdp.MaxSearchLimit
	if s.limit > 0 {
		asked.Limit = min(asked.Limit, s.limit)
	}
	var all pdp.Found
	for {
		found, err := page(ctx, asked)
		if err != nil {
			return pdp.Found{}, err
		}
		found.IDs = append(all.IDs, found.IDs...)
		found.Candidates += all.Candidates
		all, asked.Token = found, found.Next
		if s.limit > 0 && len(all.IDs) >= s.limit {
			all.IDs = all.IDs[:s.limit]
			return all, nil
		}
		if found.Next == "" {
			return all, nil
		}
	}
}

// remotePager asks a server.
func (s *search) remotePager(client verdictv1.AccessServiceClient) pager {
	return func(ctx context.Context, asked pdp.Search) (pdp.Found, error) {
		request, err := requestProto(asked.Request)
		if err != nil {
			return pdp.Found{}, err
		}
		request.Consistency = s.consistencyFlags.proto()
		switch size := int32(asked.Limit); asked.For {
		case pdp.Subjects:
			response, err := client.SearchSubjects(ctx, &verdictv1.SearchSubjectsRequest{
				Tenant: request.Tenant, Subject: request.Subject, Action: request.Action, Resource: request.Resource, Context: request.Context,
				Consistency: request.Consistency, PageSize: size, PageToken: asked.Token,
			})
			return foundIn(response.GetPage(), response.GetSubjects(), (*verdictv1.Subject).GetId), err
		case pdp.Resources:
			response, err := client.SearchResources(ctx, &verdictv1.SearchResourcesRequest{
				Tenant: request.Tenant, Subject: request.Subject, Action: request.Action, Resource: request.Resource, Context: request.Context,
				Consistency: request.Consistency, PageSize: size, PageToken: asked.Token,
			})
			return foundIn(response.GetPage(), response.GetResources(), (*verdictv1.Resource).GetId), err
		default:
			response, err := client.SearchActions(ctx, &verdictv1.SearchActionsRequest{
				Tenant: request.Tenant, Subject: request.Subject, Resource: request.Resource, Context: request.Context,
				Consistency: request.Consistency, PageSize: size, PageToken: asked.Token,
			})
			return foundIn(response.GetPage(), response.GetActions(), (*verdictv1.Action).GetName), err
		}
	}
}

// foundIn is a page that a server has answered.
func foundIn[Result any](page *verdictv1.SearchPage, results []Result, id func(Result) string) pdp.Found {
	found := pdp.Found{
		Next: page.GetNextPageToken(), PolicyRevision: page.GetPolicyRevision(), DirectoryRevision: page.GetDirectoryRevision(),
		Method: pdp.ByScan, Notes: page.GetNotes(), Candidates: int(page.GetCandidates()),
	}
	if page.GetMethod() == verdictv1.SearchMethod_SEARCH_METHOD_INDEX {
		found.Method = pdp.ByIndex
	}
	for _, result := range results {
		found.IDs = append(found.IDs, id(result))
	}
	return found
}

// A foundReport is what a search found as --output json prints it.
type foundReport struct {
	Results           []string `json:"results"`
	Complete          bool     `json:"complete"`
	PolicyRevision    string   `json:"policy_revision"`
	DirectoryRevision uint64   `json:"directory_revision"`
	Method            string   `json:"method"`
	Notes             []string `json:"notes"`
	Candidates        int      `json:"candidates"`
}

// printFound shows what a search found, a line each.
func (p *printer) printFound(asked pdp.Search, found pdp.Found, explain bool) error {
	results := make([]string, len(found.IDs))
	for i, id := range found.IDs {
		switch asked.For {
		case pdp.Subjects:
			id = asked.Request.Subject.Type + ":" + id
		case pdp.Resources:
			id = asked.Request.Resource.Type + ":" + id
		}
		results[i] = id
	}
	if p.json() {
		return p.printJSON(foundReport{
			Results: results, Complete: found.Next == "",
			PolicyRevision: found.PolicyRevision, DirectoryRevision: found.DirectoryRevision,
			Method: found.Method.String(), Notes: append([]string{}, found.Notes...), Candidates: found.Candidates,
		})
	}
	for _, result := range results {
		p.printf("%s\n", printable(result))
	}
	if !explain {
		return p.lost
	}
	p.printf("\n")
	rows := [][]string{{"  decided", strconv.Itoa(found.Candidates)}, {"  found by", found.Method.String()}}
	for i, note := range found.Notes {
		rows = append(rows, []string{labelled("because", i), note})
	}
	return p.table(append(rows,
		[]string{"  policy", found.PolicyRevision},
		[]string{"  directory", strconv.FormatUint(found.DirectoryRevision, 10)},
	))
}
