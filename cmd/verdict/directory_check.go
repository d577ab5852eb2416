package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/engine/directory"
)

func newDirectoryCheckCommand(p *printer) *cobra.Command {
	var r remote
	var data string
	var deep bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "List what the directory refers to and does not have",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := checkStore(cmd.Context(), data, r.tenant, deep)
			if err != nil {
				return err
			}
			_ = report
			return nil
		},
	}
	r.addFlags(cmd)
	return cmd
}

func checkStore(ctx context.Context, data, tenant string, deep bool) (directory.CheckReport, error) {
	dir, err := directory.Open(directory.Options{Dir: data, Tenants: []string{tenant}, Retention: keepAll, Logger: zap.NewNop()})
	if err != nil {
		return directory.CheckReport{}, err
	}
	report, err := dir.Check(ctx, tenant, directory.CheckOptions{Deep: deep})
	return report, errors.Join(err, dir.Close())
}
