package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/api/client"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A check is the verb's flags.
type check struct {
	question
	explain bool
}

func newCheckCommand(p *printer) *cobra.Command {
	var c check
	cmd := &cobra.Command{
		Use:   "check SUBJECT ACTION RESOURCE",
		Short: "Ask whether a subject may do an action on a resource",
		Long: `Ask whether a subject may do an action on a resource.

Subject and resource are written type:id. A server answers, or, with --bundle,
the policy and the directory in the files named.

Exit code: 0 allow, 1 deny, 2 error.`,
		Example: `  verdict check user:mina read patient_record:p-102
  verdict check user:mina read document:plan --context '{"mfa": true}' --explain
  verdict check user:mina read document:plan --property resource.owner=mina --property subject.level:=3
  verdict check user:mina read document:plan --bundle ./policy --directory directory.jsonl --now 2026-07-01T00:00:00Z`,
		Args: arguments(3, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := c.request(args)
			if err != nil {
				return err
			}
			ctx, cancel := c.bounded(cmd.Context())
			defer cancel()
			decide := c.decideRemote
			if c.bundle != "" {
				decide = c.decideLocal
			}
			decision, err := decide(ctx, request)
			if err != nil {
				return c.inTime(ctx, err)
			}
			if err := p.printDecision(decision); err != nil {
				return err
			}
			if decision.Err != nil {
				return fmt.Errorf("the policy could not be evaluated to its end, which is a deny: %w", decision.Err)
			}
			if !decision.Allowed {
				return errNo
			}
			return nil
		},
	}
	c.addFlags(cmd)
	cmd.Flags().BoolVar(&c.explain, "explain", false, "show which rules held, where the others failed, and what was read")
	return cmd
}

// request makes the request that the arguments and flags describe.
func (c *check) request(args []string) (*authz.Request, error) {
	r := &authz.Request{Action: authz.Action{Name: args[1]}}
	var found bool
	if r.Subject.Type, r.Subject.ID, found = strings.Cut(args[0], ":"); !found {
		return nil, fmt.Errorf("subject %q has no colon: write type:id, such as user:mina", args[0])
	}
	if r.Resource.Type, r.Resource.ID, found = strings.Cut(args[2], ":"); !found {
		return nil, fmt.Errorf("resource %q has no colon: write type:id, such as document:plan", args[2])
	}
	return r, c.set(r)
}

func (c *check) decideRemote(ctx context.Context, r *authz.Request) (authz.Decision, error) {
	consistency, err := c.consistency()
	if err != nil {
		return authz.Decision{}, err
	}
	server, err := c.ask()
	if err != nil {
		return authz.Decision{}, err
	}
	defer server.Close()
	return server.CheckWith(ctx, *r, client.CheckOptions{Consistency: consistency, Explain: c.explain})
}

func (c *check) decideLocal(ctx context.Context, r *authz.Request) (authz.Decision, error) {
	point, err := c.open(ctx)
	if err != nil {
		return authz.Decision{}, err
	}
	decision, err := point.decisions.Decide(ctx, r, pdp.DecideOptions{Explain: c.explain})
	return decision, errors.Join(err, point.Close())
}
