package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

// An importer is the verb's flags.
type importer struct {
	remote
	data      string
	keepGoing bool
	// reason and onBehalfOf stay with the changes.
	reason, onBehalfOf string
}

func newImportCommand(p *printer) *cobra.Command {
	var i importer
	cmd := &cobra.Command{
		Use:   "import FILE.jsonl|-",
		Short: "Load entities and grants into the directory",
		Long: `Load entities and grants into the directory, from a file or standard input.

A line is one JSON object:
  {"entity": {"type": "user", "id": "mina", "attributes": {"title": "nurse"}, "parents": ["department:icu"]}}
  {"grant":  {"id": "g1", "subject": "user:mina", "role": "role:nurse", "scope": "department:icu"}}
  {"delete": {"entity": "user:old"}}
  {"delete": {"grant": "g0"}}

All lines are checked before the first is written: a file with errors imports
nothing, unless --keep-going is given. An import that was interrupted can be
run again.

With --data and no server running, the lines go straight into the store on
disk; into one that does not exist yet this is several times faster. No policy
is asked there, and the changes are recorded as made by the user who runs this.`,
		Example: `  verdict import directory.jsonl
  verdict import --data verdict-data directory.jsonl
  verdict import --reason "ward rota of June" rota.jsonl
  generate | verdict import -`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if i.data == "" {
				if err := i.probe(ctx); err != nil {
					return err
				}
			}
			file, cleanUp, err := openInput(ctx, args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			defer cleanUp()
			run := i.importRemote
			if i.data != "" {
				run = i.importLocal
			}
			report, err := run(ctx, file, p.progress())
			if err != nil {
				return err
			}
			return report.print(p, args[0])
		},
	}
	i.remote.addFlags(cmd)
	cmd.Flags().StringVar(&i.data, "data", "", "import into the store in this `directory`, which no server has open")
	cmd.Flags().BoolVar(&i.keepGoing, "keep-going", false, "import the good lines of a file that has bad ones")
	cmd.Flags().StringVar(&i.reason, "reason", "", "why, as `TEXT` that stays with the changes")
	cmd.Flags().StringVar(&i.onBehalfOf, "on-behalf-of", "", "the person, a `ref`, for whom this is written: it is held to what policy lets them change")
	asksNoServer(cmd, "data")
	cmd.MarkFlagsMutuallyExclusive("on-behalf-of", "data")
	return cmd
}

// probe finds out whether the server is there and has the tenant, before a
// long file is read.
func (i *importer) probe(ctx context.Context) error {
	conn, err := i.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = verdictv1.NewPolicyServiceClient(conn).GetStatus(ctx, &verdictv1.GetStatusRequest{Tenant: i.tenant})
	if status.Code(err) == codes.PermissionDenied {
		return nil // whoever may not see that may import all the same
	}
	return err
}

// openInput opens a file to be read twice. Standard input is copied to a
// temporary file first.
func openInput(ctx context.Context, name string, stdin io.Reader) (_ *os.File, cleanUp func(), _ error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		return file, func() { file.Close() }, nil
	}
	file, err := os.CreateTemp("", "verdict-import-*.jsonl")
	if err != nil {
		return nil, nil, err
	}
	cleanUp = func() {
		file.Close()
		os.Remove(file.Name())
	}
	copied := make(chan error, 1)
	go func() { // a read of a pipe cannot be interrupted; waiting for it can
		_, err := io.Copy(file, stdin)
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		cleanUp()
		return nil, nil, fmt.Errorf("reading standard input: %w", err)
	}
	return file, cleanUp, nil
}

// An importReport is what an import did, as --output json prints it.
type importReport struct {
	Lines     uint64            `json:"lines"`
	Applied   uint64            `json:"applied"`
	Unchanged uint64            `json:"unchanged"`
	Refused   uint64            `json:"refused"`
	Revision  uint64            `json:"revision"`
	Errors    []lineErrorReport `json:"errors"`

	// written is whether the good lines were written.
	written bool
}

type lineErrorReport struct {
	Line    uint64 `json:"line"`
	Message string `json:"message"`
}

// print tells what was done. Refused lines make the command fail.
func (r *importReport) print(p *printer, name string) error {
	if p.json() {
		if err := p.printJSON(r); err != nil {
			return err
		}
	} else {
		for _, e := range r.Errors {
			p.printf("%s:%d: %s\n", name, e.Line, printable(e.Message))
		}
		if hidden := r.Refused - uint64(len(r.Errors)); hidden > 0 {
			p.printf("… and %d more refused lines\n", hidden)
		}
		if r.written {
			p.printf("%d lines: %d applied, %d unchanged, %d refused; directory revision %d\n",
				r.Lines, r.Applied, r.Unchanged, r.Refused, r.Revision)
		}
	}
	switch {
	case r.Refused == 0:
		return nil
	case !r.written:
		return fmt.Errorf("%d of %d lines are refused, so nothing was imported; mend them, or import the others with --keep-going", r.Refused, r.Lines)
	default:
		return fmt.Errorf("%d of %d lines are refused; the others are imported", r.Refused, r.Lines)
	}
}

// importRemote sends the lines twice: to be checked, and to be written.
func (i *importer) importRemote(ctx context.Context, file *os.File, g *progress) (*importReport, error) {
	conn, err := i.dial()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer g.done()
	if !i.keepGoing {
		report, err := i.send(ctx, conn, file, true, g)
		if err != nil || report.Refused > 0 {
			return report, err
		}
	}
	report, err := i.send(ctx, conn, file, false, g)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", importCutShort, err)
	}
	report.written = true
	return report, nil
}

const importCutShort = "the import did not come to its end, and what was written stays: run it again to write the rest"

// importChunk is how many bytes of lines go in one message.
const importChunk = 256 << 10

func (i *importer) send(ctx context.Context, conn grpc.ClientConnInterface, file *os.File, validateOnly bool, g *progress) (*importReport, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := verdictv1.NewDirectoryServiceClient(conn).Import(ctx)
	if err != nil {
		return nil, err
	}
	options := &verdictv1.ImportOptions{Tenant: i.tenant, ValidateOnly: validateOnly, KeepGoing: i.keepGoing, Reason: i.reason, OnBehalfOf: i.onBehalfOf}
	err = stream.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Options{Options: options}})
	doing := "importing"
	if validateOnly {
		doing = "checking"
	}
	for sent := int64(0); err == nil; {
		chunk := make([]byte, importChunk)
		n, readErr := file.Read(chunk)
		if n > 0 {
			err = stream.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Chunk{Chunk: chunk[:n]}})
			sent += int64(n)
			g.update("%s: %d %%", doing, sent*100/max(size, 1))
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return nil, readErr
		}
	}
	// A server that refuses ends the stream; its status comes with the answer.
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	response, err := stream.CloseAndRecv()
	if err != nil {
		return nil, err
	}
	report := &importReport{
		Lines:     response.GetLines(),
		Applied:   response.GetApplied(),
		Unchanged: response.GetUnchanged(),
		Refused:   response.GetRefused(),
		Revision:  response.GetRevision(),
		Errors:    []lineErrorReport{},
	}
	for _, e := range response.GetErrors() {
		report.Errors = append(report.Errors, lineErrorReport{Line: e.GetLine(), Message: e.GetMessage()})
	}
	return report, nil
}

// keepAll is the retention of a store that is opened beside its service: what
// may go is for the service to say.
const keepAll = math.MaxInt64

// importLocal writes the lines into the store on disk. What does not exist yet
// is loaded in one go.
func (i *importer) importLocal(ctx context.Context, file *os.File, g *progress) (*importReport, error) {
	defer g.done()
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	doing := "loading"
	shown := func(int, int) {
		read, _ := file.Seek(0, io.SeekCurrent)
		g.update("%s: %d %%", doing, read*100/max(size, 1))
	}
	if !i.keepGoing {
		report, err := i.load(ctx, file, shown)
		if authz.KindOf(err) != authz.FailedPrecondition { // there is something in it
			return report, err
		}
	}
	dir, err := directory.Open(directory.Options{Dir: i.data, Tenants: []string{i.tenant}, Retention: keepAll, Audit: keepAll, Logger: zap.NewNop()})
	if err != nil {
		return nil, err
	}
	author := localAuthor(i.reason)
	run := func(validateOnly bool) (*importReport, error) {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		report, err := dir.Import(ctx, i.tenant, file, directory.ImportOptions{
			ValidateOnly: validateOnly, KeepGoing: i.keepGoing, Progress: shown, Author: author,
		})
		return newImportReport(report), err
	}
	report := &importReport{}
	if !i.keepGoing {
		doing = "checking"
		report, err = run(true)
	}
	if err == nil && report.Refused == 0 {
		doing = "importing"
		if report, err = run(false); err != nil {
			err = fmt.Errorf("%s: %w", importCutShort, err)
		}
		report.written = true
	}
	return report, errors.Join(err, dir.Close())
}

// localAuthor is who writes into a store on disk: the user of this process, as the system
// knows it. The environment is not asked, which anyone can set.
func localAuthor(reason string) authz.Author {
	name := strconv.Itoa(os.Getuid())
	if known, err := user.LookupId(name); err == nil && known.Username != "" {
		name = known.Username
	}
	return authz.Author{Subject: authz.EntityRef{Type: "os_user", ID: name}, Method: "local", Reason: reason}
}

// load makes a store of the lines. Its error is of kind FailedPrecondition
// where there is one already.
func (i *importer) load(ctx context.Context, file *os.File, shown func(lines, refused int)) (*importReport, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	loaded, err := directory.Load(ctx, i.data, i.tenant, file, directory.LoadOptions{Progress: shown})
	report := newImportReport(loaded)
	if err != nil && loaded.Refused > 0 {
		return report, nil // the report says it all
	}
	report.written = err == nil
	return report, err
}

func newImportReport(r directory.ImportReport) *importReport {
	report := &importReport{
		Lines: uint64(r.Lines), Applied: uint64(r.Applied), Unchanged: uint64(r.Unchanged),
		Refused: uint64(r.Refused), Revision: r.Revision, Errors: []lineErrorReport{},
	}
	for _, e := range r.Errors {
		report.Errors = append(report.Errors, lineErrorReport{Line: uint64(e.Line), Message: e.Message})
	}
	return report
}
