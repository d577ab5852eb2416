package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pip"
)

// The forms of an export.
const (
	exportLines = "jsonl" // the import format
	exportOPA   = "opa"   // {"directory": …}, as policies see it
)

// An exporter is the verb's flags.
type exporter struct {
	remote
	consistencyFlags
	directory string
	as        string
	file      string
}

func newExportCommand(p *printer) *cobra.Command {
	var e exporter
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write out the directory",
		Long: `Write out the directory as it is at one revision.

The lines are those that import reads, in a fixed order. With --as opa it is
one JSON document, {"directory": …}, which holds what policies see: with it
plain OPA evaluates and tests the same policies.`,
		Example: `  verdict export > directory.jsonl
  verdict export --as opa --directory directory.jsonl --tenant workforce > data.json
  opa test bundles/lib ./policy data.json`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if e.as != exportLines && e.as != exportOPA {
				return fmt.Errorf("--as %q: expected %s or %s", e.as, exportLines, exportOPA)
			}
			if e.file == "" {
				return e.write(cmd.Context(), p.out)
			}
			return replaceFile(e.file, func(w io.Writer) error { return e.write(cmd.Context(), w) })
		},
	}
	e.remote.addFlags(cmd)
	e.consistencyFlags.addFlags(cmd)
	cmd.Flags().StringVar(&e.directory, "directory", "", "export the directory in this `file` of the import format, without a server")
	cmd.Flags().StringVar(&e.as, "as", exportLines, "the `form`: jsonl or opa")
	cmd.Flags().StringVar(&e.file, "file", "", "write to this `file`, which is replaced once the export is complete")
	mustComplete(cmd, "as", exportLines, exportOPA)
	asksNoServer(cmd, "directory")
	for _, remote := range []string{"at-least", "exact"} {
		cmd.MarkFlagsMutuallyExclusive(remote, "directory")
	}
	return cmd
}

func (e *exporter) write(ctx context.Context, w io.Writer) error {
	if e.directory == "" && e.as == exportLines {
		return e.receive(ctx, w)
	}
	point, err := openLocal(ctx, e.tenant, tenantConfig{}, e.directory, time.Now)
	if err != nil {
		return err
	}
	return errors.Join(e.writeLocal(ctx, point, w), point.Close())
}

// writeLocal exports a directory in memory, filling it from the server first
// where no file was named.
func (e *exporter) writeLocal(ctx context.Context, point *point, w io.Writer) error {
	if e.directory == "" {
		lines, received := io.Pipe()
		go func() { received.CloseWithError(e.receive(ctx, received)) }()
		if err := importAll(ctx, point.directory, e.tenant, e.server, lines); err != nil {
			lines.CloseWithError(err)
			return err
		}
	}
	if e.as == exportLines {
		_, err := point.directory.Export(ctx, e.tenant, authz.Consistency{}, w)
		return err
	}
	return point.writeOPA(ctx, e.tenant, w)
}

// receive copies a server's export.
func (e *exporter) receive(ctx context.Context, w io.Writer) error {
	conn, err := e.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := verdictv1.NewDirectoryServiceClient(conn).Export(ctx, &verdictv1.ExportRequest{
		Tenant:      e.tenant,
		Consistency: e.consistencyFlags.proto(),
	})
	if err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(response.GetChunk()); err != nil {
			return err
		}
	}
}

// writeOPA writes what policies see of a tenant.
func (p *point) writeOPA(ctx context.Context, tenant string, w io.Writer) error {
	snapshot, err := p.directory.Snapshot(ctx, tenant, authz.Consistency{})
	if err != nil {
		return err
	}
	defer snapshot.Close()
	return pip.NewCache(pip.Options{}).Reader(snapshot, math.MaxInt).WriteDocument(ctx, w)
}
