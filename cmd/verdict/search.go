package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
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

// A result is what the pages of a search found together.
type result struct {
	pdp.Found
	complete bool // otherwise there may be more
}

// find goes through the pages of a search.
func (s *search) find(ctx context.Context, asked pdp.Search) (result, error) {
	asked.Limit = pdp.MaxSearchLimit
	if s.limit > 0 {
		asked.Limit = min(asked.Limit, s.limit)
	}
	if s.bundle != "" {
		point, err := s.open(ctx)
		if err != nil {
			return result{}, err
		}
		found, err := s.gather(pagesHere(ctx, point.decisions, asked))
		return found, errors.Join(err, point.Close())
	}
	consistency, err := s.consistency()
	if err != nil {
		return result{}, err
	}
	server, err := s.ask()
	if err != nil {
		return result{}, err
	}
	defer server.Close()
	pages := map[pdp.SearchFor]func(context.Context, authz.Request, client.SearchOptions) iter.Seq2[client.Page, error]{
		pdp.Subjects: server.SearchSubjects, pdp.Resources: server.SearchResources, pdp.Actions: server.SearchActions,
	}[asked.For]
	return s.gather(pagesThere(pages(ctx, *asked.Request, client.SearchOptions{PageSize: asked.Limit, Consistency: consistency})))
}

// gather makes one of the pages that are needed.
func (s *search) gather(pages iter.Seq2[pdp.Found, error]) (all result, err error) {
	for found, err := range pages {
		if err != nil {
			return result{}, err
		}
		found.IDs = append(all.IDs, found.IDs...)
		found.Candidates += all.Candidates
		all.Found, all.complete = found, found.Next == ""
		if s.limit > 0 && len(all.IDs) >= s.limit {
			all.complete = all.complete && len(all.IDs) == s.limit
			all.IDs = all.IDs[:s.limit]
			break
		}
	}
	return all, nil
}

// pagesHere are the pages that a point finds.
func pagesHere(ctx context.Context, decisions *pdp.PDP, asked pdp.Search) iter.Seq2[pdp.Found, error] {
	return func(yield func(pdp.Found, error) bool) {
		for {
			found, err := decisions.Search(ctx, asked)
			if !yield(found, err) || err != nil || found.Next == "" {
				return
			}
			asked.Token = found.Next
		}
	}
}

// pagesThere are the pages that a server finds.
func pagesThere(pages iter.Seq2[client.Page, error]) iter.Seq2[pdp.Found, error] {
	return func(yield func(pdp.Found, error) bool) {
		for page, err := range pages {
			found := pdp.Found{
				IDs: page.IDs, Next: page.Next, PolicyRevision: page.PolicyRevision, DirectoryRevision: page.DirectoryRevision,
				Method: pdp.ByScan, Notes: page.Notes, Candidates: page.Candidates,
			}
			if page.ByIndex {
				found.Method = pdp.ByIndex
			}
			if !yield(found, err) {
				return
			}
		}
	}
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
func (p *printer) printFound(asked pdp.Search, found result, explain bool) error {
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
			Results: results, Complete: found.complete,
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
