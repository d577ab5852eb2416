package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/caller"
)

// A tokenReport is a token, as --output json prints it.
type tokenReport struct {
	Subject string `json:"subject"`
	Token   string `json:"token"`
	SHA256  string `json:"sha256"`
}

func newTokenCommand(p *printer) *cobra.Command {
	return &cobra.Command{
		Use:   "token SUBJECT",
		Short: "Make a bearer token for a caller of the service",
		Long: `Make a bearer token for a caller of the service, and print it with what the
configuration of the service is to know of it: its hash, from which nobody can
tell the token. It is kept nowhere, so print it to where the caller is to have it.`,
		Example: `  verdict token service:checkout
  verdict token service:checkout --output json | jq -r .token > checkout.token`,
		Args: arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			subject, err := authz.ParseEntityRef(args[0])
			if err != nil {
				return fmt.Errorf("SUBJECT: %w", err)
			}
			report := tokenReport{Subject: subject.String(), Token: caller.NewToken()}
			report.SHA256 = caller.HashOf(report.Token).String()
			if p.json() {
				return p.printJSON(report)
			}
			p.printf("%s\n\ncallers:\n  tokens:\n    - subject: %q\n      sha256: %s\n", report.Token, report.Subject, report.SHA256)
			return nil
		},
	}
}
