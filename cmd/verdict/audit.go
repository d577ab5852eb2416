package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

func newAuditCommand(p *printer) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Tell who changed what: changes",
	}
	expectSubcommand(cmd)
	cmd.AddCommand(newAuditChangesCommand(p))
	return cmd
}

// changesFlags say which changes are meant.
type changesFlags struct {
	remote
	request      verdictv1.ListChangesRequest
	since, until pastTime
	limit        int
}

func newAuditChangesCommand(p *printer) *cobra.Command {
	var c changesFlags
	cmd := &cobra.Command{
		Use:   "changes",
		Short: "List who changed what, when, from where and why, the latest first",
		Long: `List who changed what in a tenant's directory, and what became of its policy: when,
from where and why, the latest first. Several filters together must all hold.

Changes are kept for as long as the server's setting directory.audit says, and no more of
them than directory.audit_size says. They hold no values of attributes: those of a
revision that is kept are shown by verdict directory get --exact REVISION.`,
		Example: `  verdict audit changes --entity user:mina
  verdict audit changes --grants-of user:mina --since 2160h
  verdict audit changes --author service:hr-sync --since 2026-01-01T00:00:00Z
  verdict audit changes --policy`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if c.limit < 0 {
				return fmt.Errorf("--limit %d: expected a number above zero, or 0 for all", c.limit)
			}
			conn, err := c.dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			return c.list(cmd.Context(), verdictv1.NewAuditServiceClient(conn), p)
		},
	}
	c.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&c.request.Entity, "entity", "", "changes of this entity, a `ref`")
	flags.StringVar(&c.request.GrantsOf, "grants-of", "", "grants given to this `ref`, changed or taken")
	flags.StringVar(&c.request.Author, "author", "", "changes by this caller, or on behalf of this person, a `ref`")
	flags.StringVar(&c.request.Bundle, "bundle", "", "what became of the policy by the bundle of this `name`")
	flags.BoolVar(&c.request.PolicyOnly, "policy", false, "what became of the policy, and nothing else")
	flags.Var(&c.since, "since", "changes from this `time` on, or of so long: 2026-01-01T00:00:00Z or 720h")
	flags.Var(&c.until, "until", "changes before this `time`, or older than that")
	flags.IntVar(&c.limit, "limit", 0, "list this `number` of changes at most")
	return cmd
}

// auditPage is how many changes are asked for at a time.
const auditPage = 500

// list prints the pages as they come.
func (c *changesFlags) list(ctx context.Context, client verdictv1.AuditServiceClient, p *printer) error {
	c.request.Tenant = c.tenant
	c.request.Since, c.request.Until = c.since.message(), c.until.message()
	for listed := 0; ; {
		c.request.PageSize = auditPage
		if c.limit > 0 {
			c.request.PageSize = int32(min(auditPage, c.limit-listed))
		}
		page, err := client.ListChanges(ctx, &c.request)
		if err != nil {
			return err
		}
		if err := p.printChanges(page.GetChanges()); err != nil {
			return err
		}
		listed += len(page.GetChanges())
		c.request.PageToken = page.GetNextPageToken()
		if c.request.PageToken == "" || c.limit > 0 && listed >= c.limit {
			return nil
		}
	}
}

// A pastTime is a flag: a time, or how long ago.
type pastTime struct {
	at   time.Time
	text string
}

// Set reads the flag.
func (t *pastTime) Set(text string) error {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		ago, err := time.ParseDuration(text)
		if err != nil || ago < 0 {
			return fmt.Errorf("expected a time such as 2026-01-01T00:00:00Z, or how long ago, such as 720h")
		}
		at = time.Now().Add(-ago)
	}
	t.at, t.text = at, text
	return nil
}

// String is the flag as it was given.
func (t *pastTime) String() string { return t.text }

// Type is the flag's in the help.
func (t *pastTime) Type() string { return "time" }

func (t *pastTime) message() *timestamppb.Timestamp {
	if t.text == "" {
		return nil
	}
	return timestamppb.New(t.at)
}

// A changeReport is a change as --output json prints it.
type changeReport struct {
	Revision uint64              `json:"revision"`
	Time     string              `json:"time"`
	Author   *authorReport       `json:"author"` // null where it was not recorded
	Entity   *entityChangeReport `json:"entity,omitempty"`
	Grant    *grantChangeReport  `json:"grant,omitempty"`
	Policy   *policyChangeReport `json:"policy,omitempty"`
}

type authorReport struct {
	Subject    string `json:"subject,omitempty"`
	Method     string `json:"method,omitempty"`
	Address    string `json:"address,omitempty"`
	OnBehalfOf string `json:"on_behalf_of,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

type entityChangeReport struct {
	Ref            string   `json:"ref"`
	Change         string   `json:"change"` // created, changed or deleted
	ParentsAdded   []string `json:"parents_added,omitempty"`
	ParentsRemoved []string `json:"parents_removed,omitempty"`
	Attributes     []string `json:"attributes,omitempty"`
}

type grantChangeReport struct {
	ID     string       `json:"id"`
	Before *grantReport `json:"before,omitempty"`
	After  *grantReport `json:"after,omitempty"`
}

type policyChangeReport struct {
	Bundle         string `json:"bundle,omitempty"`
	Path           string `json:"path,omitempty"`
	RevisionBefore string `json:"revision_before,omitempty"`
	Revision       string `json:"revision,omitempty"`
	Digest         string `json:"digest,omitempty"`
	Refused        string `json:"refused,omitempty"`
}

func newChangeReport(c *verdictv1.RecordedChange) changeReport {
	report := changeReport{Revision: c.GetRevision(), Time: timeText(c.GetCommittedAt())}
	if a := c.GetAuthor(); a != nil {
		report.Author = &authorReport{Subject: a.GetSubject(), Method: a.GetMethod(), Address: a.GetAddress(), OnBehalfOf: a.GetOnBehalfOf(), Reason: a.GetReason()}
	}
	switch {
	case c.GetEntity() != nil:
		e := c.GetEntity()
		change := "changed"
		if e.GetCreated() {
			change = "created"
		} else if e.GetDeleted() {
			change = "deleted"
		}
		report.Entity = &entityChangeReport{Ref: e.GetEntity(), Change: change, ParentsAdded: e.GetParentsAdded(), ParentsRemoved: e.GetParentsRemoved(), Attributes: e.GetAttributes()}
	case c.GetGrant() != nil:
		report.Grant = &grantChangeReport{ID: c.GetGrant().GetId(), Before: heldGrantReport(c.GetGrant().GetBefore()), After: heldGrantReport(c.GetGrant().GetAfter())}
	case c.GetPolicy() != nil:
		b := c.GetPolicy()
		report.Policy = &policyChangeReport{Bundle: b.GetBundle(), Path: b.GetPath(), RevisionBefore: b.GetRevisionBefore(), Revision: b.GetRevision(), Digest: b.GetDigest(), Refused: b.GetRefused()}
	}
	return report
}

func heldGrantReport(g *verdictv1.Grant) *grantReport {
	if g == nil {
		return nil
	}
	report := newGrantReport(g)
	return &report
}

// printChanges prints a page.
func (p *printer) printChanges(changes []*verdictv1.RecordedChange) error {
	var rows [][]string
	for _, change := range changes {
		report := newChangeReport(change)
		if p.json() {
			if err := p.printJSON(report); err != nil {
				return err
			}
			continue
		}
		at := change.GetCommittedAt().AsTime().Format(time.RFC3339)
		rows = append(rows, []string{strconv.FormatUint(report.Revision, 10), at, report.Author.text(), report.text()})
	}
	return p.table(rows)
}

// text is who made a change, as far as it is known.
func (a *authorReport) text() string {
	if a == nil {
		return "not recorded"
	}
	var words []string
	switch {
	case a.Subject != "":
		words = append(words, a.Subject)
	case a.Address != "":
		words = append(words, "someone")
	default:
		words = append(words, "the server or its operator")
	}
	if a.Address != "" {
		words = append(words, "from", a.Address)
	}
	if a.OnBehalfOf != "" {
		words = append(words, "for", a.OnBehalfOf)
	}
	if a.Reason != "" {
		words = append(words, "("+a.Reason+")")
	}
	return strings.Join(words, " ")
}

// text is what was changed.
func (c changeReport) text() string {
	switch {
	case c.Entity != nil:
		return c.Entity.text()
	case c.Grant != nil:
		return c.Grant.text()
	case c.Policy != nil:
		return c.Policy.text()
	}
	return ""
}

func (e entityChangeReport) text() string {
	text := e.Change + " " + e.Ref
	for _, part := range []struct {
		words string
		names []string
	}{{"now below", e.ParentsAdded}, {"not below", e.ParentsRemoved}, {"attributes", e.Attributes}} {
		if len(part.names) > 0 {
			text += ", " + part.words + " " + strings.Join(part.names, " ")
		}
	}
	return text
}

func (g grantChangeReport) text() string {
	switch {
	case g.Before == nil && g.After == nil:
		return "grant " + g.ID
	case g.Before == nil:
		return "gave " + g.After.text()
	case g.After == nil:
		return "took " + g.Before.text()
	}
	return "changed " + g.After.text() + ", before " + strings.TrimPrefix(g.Before.text(), g.ID+": ")
}

func (b policyChangeReport) text() string {
	named := strings.Join(slices.DeleteFunc([]string{b.Bundle, b.Revision}, func(s string) bool { return s == "" }), " ")
	if named == "" {
		named = "a bundle"
	}
	if b.Path != "" {
		named += " of " + b.Path
	}
	if b.Refused != "" {
		return "refused the policy " + named + ": " + b.Refused
	}
	if b.RevisionBefore != "" {
		named += ", before " + b.RevisionBefore
	}
	return "activated the policy " + named
}
