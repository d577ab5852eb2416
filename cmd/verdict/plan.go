package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/plan"
)

// A planning is the verb's flags.
type planning struct {
	question
	dialect string
	before  int
}

func newPlanCommand(p *printer) *cobra.Command {
	var f planning
	cmd := &cobra.Command{
		Use:   "plan SUBJECT ACTION TYPE",
		Short: "Write which resources a subject may do an action on as a filter of rows",
		Long: `Write which resources a subject may do an action on as a filter of rows: the
condition of a WHERE clause, or UCAST. It takes in the rows, and no others, that
a check allows when the directory holds what the row holds.

The bundle's data says where rows keep what the directory calls attributes:
  {"verdict": {"plan": {"document": {"table": "documents", "id": "id",
    "columns": {"owner": "owner_ref", "pages": {"column": "pages", "type": "number"}}}}}}

Exit code: 0 when there are rows that may be allowed, 1 when there are none,
2 error, such as a decision that cannot be written as a filter.`,
		Example: `  verdict plan user:mina read document
  verdict plan user:mina read document --dialect ucast --output json
  verdict plan user:mina read document --dialect mysql --bundle ./policy --directory directory.jsonl`,
		Args: arguments(3, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			asked, err := f.asked(args)
			if err != nil {
				return err
			}
			ctx, cancel := f.bounded(cmd.Context())
			defer cancel()
			planned, err := f.plan(ctx, asked)
			if err != nil {
				return f.inTime(ctx, err)
			}
			if err := p.printPlanned(planned); err != nil {
				return err
			}
			if planned.Effect == plan.Never {
				return errNo
			}
			return nil
		},
	}
	f.addFlags(cmd)
	cmd.Flags().StringVar(&f.dialect, "dialect", string(plan.PostgreSQL), "what the filter is written in: ucast, postgresql, mysql or sqlite, a `name`")
	cmd.Flags().IntVar(&f.before, "parameters-before", 0, "how many parameters of its own the statement has before the filter's, `N`")
	return cmd
}

func (f *planning) asked(args []string) (pdp.PlanQuestion, error) {
	dialect, err := plan.ParseDialect(f.dialect)
	if err != nil {
		return pdp.PlanQuestion{}, fmt.Errorf("--dialect: %w", err)
	}
	r := &authz.Request{Action: authz.Action{Name: args[1]}}
	var found bool
	if r.Subject.Type, r.Subject.ID, found = strings.Cut(args[0], ":"); !found {
		return pdp.PlanQuestion{}, fmt.Errorf("subject %q has no colon: write type:id, such as user:mina", args[0])
	}
	if r.Resource.Type = args[2]; strings.Contains(args[2], ":") {
		return pdp.PlanQuestion{}, fmt.Errorf("resource %q has an id: write the type of the rows alone; verdict check decides on one resource", args[2])
	}
	return pdp.PlanQuestion{Request: r, Options: plan.Options{Dialect: dialect, Before: f.before}}, f.set(r)
}

func (f *planning) plan(ctx context.Context, asked pdp.PlanQuestion) (pdp.Planned, error) {
	if f.bundle != "" {
		point, err := f.open(ctx)
		if err != nil {
			return pdp.Planned{}, err
		}
		planned, err := point.decisions.Plan(ctx, asked)
		return planned, errors.Join(err, point.Close())
	}
	consistency, err := f.consistency()
	if err != nil {
		return pdp.Planned{}, err
	}
	server, err := f.ask()
	if err != nil {
		return pdp.Planned{}, err
	}
	defer server.Close()
	written, err := server.PlanResources(ctx, *asked.Request, client.PlanOptions{
		Dialect: client.Dialect(asked.Options.Dialect), ParametersBefore: asked.Options.Before, Consistency: consistency,
	})
	if err != nil {
		return pdp.Planned{}, err
	}
	planned := pdp.Planned{
		Plan:  plan.Plan{Effect: plan.Effect(written.Effect.String()), UCAST: written.UCAST, Condition: written.Condition},
		Notes: written.Notes, PolicyRevision: written.PolicyRevision, DirectoryRevision: written.DirectoryRevision,
	}
	if written.SQL != nil {
		planned.SQL = (*plan.SQL)(written.SQL)
	}
	return planned, nil
}

// printPlanned shows a plan.
func (p *printer) printPlanned(planned pdp.Planned) error {
	if p.json() {
		return p.printJSON(planned)
	}
	p.printf("%s\n", planned.Effect)
	var rows [][]string
	if planned.Effect == plan.Conditional {
		rows = append(rows, []string{"  condition", planned.Condition})
	}
	if planned.SQL != nil {
		rows = append(rows, []string{"  table", planned.SQL.Table}, []string{"  where", planned.SQL.Where})
		for i, value := range planned.SQL.Parameters {
			rows = append(rows, []string{labelled("parameters", i), compactJSON(value)})
		}
	}
	if planned.UCAST != nil {
		rows = append(rows, []string{"  ucast", compactJSON(planned.UCAST)})
	}
	for i, note := range planned.Notes {
		rows = append(rows, []string{labelled("note", i), note})
	}
	return p.table(append(rows,
		[]string{"  policy", planned.PolicyRevision},
		[]string{"  directory", strconv.FormatUint(planned.DirectoryRevision, 10)},
	))
}
