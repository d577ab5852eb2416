package main

import (
	"github.com/spf13/cobra"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

func newDirectoryCheckCommand(p *printer) *cobra.Command {
	var r remote
	var deep bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "List what the directory refers to and does not have",
		Long: `List what the directory refers to and does not have.

A parent, or a role, that does not exist is allowed, since a load comes in any
order, and gives nobody anything. With --deep everything that is derived from
the records is compared with them, too.

Exit code: 0 when nothing was found, 1 when something was, 2 for an error.`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conn, err := r.dial()
			if err != nil {
				return err
			}
			defer conn.Close()
			response, err := verdictv1.NewDirectoryServiceClient(conn).CheckDirectory(cmd.Context(), &verdictv1.CheckDirectoryRequest{
				Tenant: r.tenant, Deep: deep,
			})
			if err != nil {
				return err
			}
			return p.printFindings(newFindingsReport(response))
		},
	}
	r.addFlags(cmd)
	cmd.Flags().BoolVar(&deep, "deep", false, "look for damage, too")
	return cmd
}

// A findingsReport is what a check found, as --output json prints it.
type findingsReport struct {
	DirectoryRevision uint64           `json:"directory_revision"`
	Dangling          []danglingReport `json:"dangling"`
	Damage            []string         `json:"damage"`
}

// A danglingReport is a reference to what does not exist. Of Entity and Grant
// one is set.
type danglingReport struct {
	Entity string `json:"entity,omitempty"`
	Grant  string `json:"grant,omitempty"`
	Member string `json:"member"`
	Ref    string `json:"ref"`
}

func newFindingsReport(response *verdictv1.CheckDirectoryResponse) findingsReport {
	report := findingsReport{
		DirectoryRevision: response.GetDirectoryRevision(),
		Dangling:          []danglingReport{},
		Damage:            response.GetDamage(),
	}
	for _, d := range response.GetDangling() {
		report.Dangling = append(report.Dangling, danglingReport{
			Entity: d.GetEntity(), Grant: d.GetGrant(), Member: d.GetMember(), Ref: d.GetRef(),
		})
	}
	if report.Damage == nil {
		report.Damage = []string{}
	}
	return report
}

func (p *printer) printFindings(report findingsReport) error {
	found := len(report.Dangling) + len(report.Damage)
	if p.json() {
		if err := p.printJSON(report); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, d := range report.Dangling {
			holder := d.Entity
			if d.Grant != "" {
				holder = "grant " + d.Grant
			}
			rows = append(rows, []string{holder, d.Member, d.Ref + " does not exist"})
		}
		for _, damage := range report.Damage {
			rows = append(rows, []string{"damage", damage})
		}
		if err := p.table(rows); err != nil {
			return err
		}
		p.printf("%d findings at directory revision %d\n", found, report.DirectoryRevision)
	}
	if found > 0 {
		return errNo
	}
	return nil
}
