package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/verdictpdp/verdict/engine/directory"
)

// A restorer is the verb's flags.
type restorer struct {
	data  string
	check bool
}

func newRestoreCommand(p *printer) *cobra.Command {
	var r restorer
	cmd := &cobra.Command{
		Use:   "restore BACKUP…|-",
		Short: "Make a store of backups",
		Long: `Make a store of backups: a full one, and those that go on from it, in any
order; - is standard input. The store must be empty or not there, and no server
may have it open. Backups without a full one are restored into a store that is
at the revision from which the first goes on, as one is that was restored and
not written to since.

The store takes its place when all of it is there and on disk: if anything is
wrong, what was there stays.

With --check the backups are only read: whether each is complete and as it was
written, and whether one goes on from the other.`,
		Example: `  verdict restore --data verdict-data sunday.backup monday.backup tuesday.backup
  age --decrypt -i key.txt sunday.backup.age | verdict restore --data verdict-data -
  verdict restore --check *.backup`,
		Args: arguments(1, maxBackups),
		RunE: func(cmd *cobra.Command, args []string) error {
			backups, close, err := openBackups(args, cmd.InOrStdin())
			defer close()
			if err != nil {
				return err
			}
			run := r.restore
			if r.check {
				run = checkBackups
			}
			report, err := run(cmd.Context(), backups)
			if err != nil {
				return err
			}
			if p.json() {
				return p.printJSON(report)
			}
			p.printf("%s\n", report.text(&r))
			return nil
		},
	}
	cmd.Flags().StringVar(&r.data, "data", defaultConfig().Data, "`directory` of the store")
	cmd.Flags().BoolVar(&r.check, "check", false, "read the backups, and write nothing")
	return cmd
}

// maxBackups bounds how many backups are open at a time.
const maxBackups = 500

// restore makes a store.
func (r *restorer) restore(ctx context.Context, backups []*directory.BackupReader) (restoreReport, error) {
	header, err := directory.Restore(ctx, r.data, backups, nil)
	return newRestoreReport(header, backups), err
}

// checkBackups reads backups to their ends.
func checkBackups(ctx context.Context, backups []*directory.BackupReader) (restoreReport, error) {
	header, err := directory.CheckBackups(ctx, backups)
	return newRestoreReport(header, backups), err
}

// A restoreReport is what was restored, as --output json prints it.
type restoreReport struct {
	From     uint64   `json:"from"`
	Oldest   uint64   `json:"oldest"`
	Revision uint64   `json:"revision"`
	Tenants  []string `json:"tenants"`
}

// newRestoreReport makes the report of backups that have been put in order.
func newRestoreReport(h directory.BackupHeader, backups []*directory.BackupReader) restoreReport {
	return restoreReport{From: backups[0].Header().From, Oldest: h.Floor, Revision: h.To, Tenants: h.Tenants}
}

// text is the report for people.
func (r *restoreReport) text(of *restorer) string {
	what := of.data + " is restored"
	if of.check {
		what = "the backups are whole, and come"
	}
	text := fmt.Sprintf("%s to revision %d, with the past from revision %d on; tenants: %s", printable(what), r.Revision, r.Oldest, names(r.Tenants))
	if of.check && r.From > 0 {
		text += fmt.Sprintf("\nthere is no full one among them: a restore goes on from a store at revision %d, or needs the backups up to it as well", r.From)
	}
	return text
}

// openBackups opens backups, and reads their headers.
func openBackups(names []string, stdin io.Reader) (backups []*directory.BackupReader, close func(), err error) {
	var files []*os.File
	close = func() {
		for _, file := range files {
			file.Close()
		}
	}
	for _, name := range names {
		from := stdin
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				return nil, close, err
			}
			files = append(files, file)
			from = file
		}
		backup, err := directory.NewBackupReader(from)
		if err != nil {
			return nil, close, fmt.Errorf("%s: %w", name, err)
		}
		backup.Name = name
		backups = append(backups, backup)
	}
	return backups, close, nil
}
