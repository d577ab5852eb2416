package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

func newDirectoryCommand(p *printer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "directory",
		Short: "Look into the directory: get, list, check",
	}
	expectSubcommand(cmd)
	cmd.AddCommand(newDirectoryGetCommand(p), newDirectoryListCommand(p), newDirectoryCheckCommand(p))
	return cmd
}

// An entityReport is an entity as --output json prints it.
type entityReport struct {
	Ref        string   `json:"ref"`
	Attributes rawJSON  `json:"attributes"`
	Parents    []string `json:"parents"`
	Revision   uint64   `json:"revision"`
}

func newEntityReport(r *verdictv1.EntityRecord) entityReport {
	e := r.GetEntity()
	report := entityReport{
		Ref:        e.GetType() + ":" + e.GetId(),
		Attributes: rawJSON(e.GetAttributesJson()),
		Parents:    e.GetParents(),
		Revision:   r.GetRevision(),
	}
	if report.Parents == nil {
		report.Parents = []string{}
	}
	return report
}

// rawJSON is text that is JSON already; empty is an empty object.
type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) {
	if r == "" {
		return []byte("{}"), nil
	}
	return []byte(r), nil
}

// A grantReport is a grant as --output json prints it.
type grantReport struct {
	ID        string `json:"id"`
	Subject   string `json:"subject"`
	Role      string `json:"role"`
	Scope     string `json:"scope,omitempty"`
	NotBefore string `json:"not_before,omitempty"`
	NotAfter  string `json:"not_after,omitempty"`
	Reason    string `json:"reason,omitempty"`
}

func newGrantReport(g *verdictv1.Grant) grantReport {
	return grantReport{
		ID:        g.GetId(),
		Subject:   g.GetSubject(),
		Role:      g.GetRole(),
		Scope:     g.GetScope(),
		NotBefore: timeText(g.GetNotBefore()),
		NotAfter:  timeText(g.GetNotAfter()),
		Reason:    g.GetReason(),
	}
}

func timeText(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339Nano)
}

func newDirectoryGetCommand(p *printer) *cobra.Command {
	var r remote
	var c consistencyFlags
	cmd := &cobra.Command{
		Use:     "get REF",
		Short:   "Show an entity and the grants made to it",
		Example: `  verdict directory get user:mina`,
		Args:    arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			conn, err := r.dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			ctx, cancel := r.bounded(cmd.Context())
			defer cancel()
			client := verdictv1.NewDirectoryServiceClient(conn)
			response, err := client.GetEntity(ctx, &verdictv1.GetEntityRequest{
				Tenant: r.tenant, Entity: args[0], Consistency: c.proto(),
			})
			if err != nil {
				return r.inTime(ctx, err)
			}
			grants, err := listGrants(ctx, client, &verdictv1.ListGrantsRequest{
				Tenant: r.tenant, Subject: args[0], Consistency: exactly(response.GetDirectoryRevision()),
			})
			if err != nil {
				return r.inTime(ctx, err)
			}
			return p.printEntity(newEntityReport(response.GetEntity()), grants)
		},
	}
	r.addFlags(cmd)
	r.addTimeoutFlag(cmd)
	c.addFlags(cmd)
	return cmd
}

func (p *printer) printEntity(entity entityReport, grants []grantReport) error {
	if p.json() {
		return p.printJSON(struct {
			entityReport
			Grants []grantReport `json:"grants"`
		}{entity, grants})
	}
	p.printf("%s\n", printable(entity.Ref))
	rows := [][]string{{"  attributes", string(entity.Attributes)}}
	for i, parent := range entity.Parents {
		rows = append(rows, []string{labelled("parents", i), parent})
	}
	rows = append(rows, []string{"  written in", "revision " + strconv.FormatUint(entity.Revision, 10)})
	for i, grant := range grants {
		rows = append(rows, []string{labelled("grants", i), grant.text()})
	}
	return p.table(rows)
}

// text is a grant on one line.
func (g grantReport) text() string {
	text := g.ID + ": " + g.Subject + " is " + g.Role
	if g.Scope != "" {
		text += " on " + g.Scope
	}
	if g.NotBefore != "" {
		text += " from " + g.NotBefore
	}
	if g.NotAfter != "" {
		text += " until " + g.NotAfter
	}
	if g.Reason != "" {
		text += " (" + g.Reason + ")"
	}
	return text
}

func listGrants(ctx context.Context, client verdictv1.DirectoryServiceClient, request *verdictv1.ListGrantsRequest) ([]grantReport, error) {
	grants := []grantReport{}
	for {
		response, err := client.ListGrants(ctx, request)
		if err != nil {
			return nil, err
		}
		for _, grant := range response.GetGrants() {
			grants = append(grants, newGrantReport(grant))
		}
		request.PageToken = response.GetNextPageToken()
		request.Consistency = nil
		if request.PageToken == "" {
			return grants, nil
		}
	}
}

func newDirectoryListCommand(p *printer) *cobra.Command {
	var r remote
	var c consistencyFlags
	var subject, role, scope string
	cmd := &cobra.Command{
		Use:   "list TYPE | list --subject REF --role REF --scope REF",
		Short: "List the entities of a type, or grants",
		Long: `List the entities of a type, or the grants of a subject, of a role, on a scope.

All of it is read at one revision.`,
		Example: `  verdict directory list user
  verdict directory list --role role:nurse
  verdict directory list --scope department:icu`,
		Args: arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			byGrant := subject != "" || role != "" || scope != ""
			if byGrant == (len(args) == 1) {
				return fmt.Errorf("name either a TYPE of entities, or grants by --subject, --role or --scope")
			}
			conn, err := r.dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			client := verdictv1.NewDirectoryServiceClient(conn)
			if byGrant {
				grants, err := listGrants(cmd.Context(), client, &verdictv1.ListGrantsRequest{
					Tenant: r.tenant, Subject: subject, Role: role, Scope: scope, Consistency: c.proto(),
				})
				if err != nil {
					return err
				}
				return p.printGrants(grants)
			}
			return p.listEntities(cmd.Context(), client, &verdictv1.ListEntitiesRequest{
				Tenant: r.tenant, Type: args[0], Consistency: c.proto(), PageSize: 1000,
			})
		},
	}
	r.addFlags(cmd)
	c.addFlags(cmd)
	cmd.Flags().StringVar(&subject, "subject", "", "list the grants made to this `ref`")
	cmd.Flags().StringVar(&role, "role", "", "list the grants of this role, a `ref`")
	cmd.Flags().StringVar(&scope, "scope", "", "list the grants on this scope, a `ref`; tenant:NAME for those on the whole tenant")
	return cmd
}

func (p *printer) printGrants(grants []grantReport) error {
	for _, grant := range grants {
		if !p.json() {
			p.printf("%s\n", printable(grant.text()))
		} else if err := p.printJSON(grant); err != nil {
			return err
		}
	}
	return nil
}

// listEntities prints the pages as they come, an entity a line.
func (p *printer) listEntities(ctx context.Context, client verdictv1.DirectoryServiceClient, request *verdictv1.ListEntitiesRequest) error {
	for {
		response, err := client.ListEntities(ctx, request)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, record := range response.GetEntities() {
			entity := newEntityReport(record)
			if p.json() {
				if err := p.printJSON(entity); err != nil {
					return err
				}
				continue
			}
			rows = append(rows, []string{entity.Ref, strings.Join(entity.Parents, " "), string(entity.Attributes)})
		}
		if err := p.table(rows); err != nil {
			return err
		}
		request.PageToken = response.GetNextPageToken()
		request.Consistency = nil
		if request.PageToken == "" {
			return nil
		}
	}
}
