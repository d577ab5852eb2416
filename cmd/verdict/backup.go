package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

// A backer is the verb's flags.
type backer struct {
	remote
	data  string
	since string
	after uint64
}

func newBackupCommand(p *printer) *cobra.Command {
	var b backer
	cmd := &cobra.Command{
		Use:   "backup FILE|-",
		Short: "Back up the directories of all tenants",
		Long: `Back up the directories of all tenants, as they are at one revision and with
what is kept of the past, to a file or standard output. A running server is
asked for it, and goes on meanwhile; with --data and no server running, the
store on disk is read.

With --since, only what came after another backup is in this one: it can be
restored after that.

A file is complete when it is there. What goes to standard output may be cut
off: verdict restore --check tells. Whoever can read a backup can read all that
is in the directory.`,
		Example: `  verdict backup sunday.backup
  verdict backup --since sunday.backup monday.backup
  verdict backup - | age --encrypt -r age1… > sunday.backup.age
  verdict restore --data verdict-data sunday.backup monday.backup`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := b.options(args[0])
			if err != nil {
				return err
			}
			if args[0] == "-" {
				_, err := b.write(cmd.Context(), options, p.out)
				return err
			}
			var report backupReport
			if err := replaceFile(args[0], func(w io.Writer) (err error) {
				report, err = b.write(cmd.Context(), options, w)
				return err
			}); err != nil {
				return err
			}
			if p.json() {
				return p.printJSON(report)
			}
			p.printf("%s: %s\n", printable(args[0]), report.text())
			return nil
		},
	}
	b.remote.addServerFlags(cmd)
	cmd.Flags().StringVar(&b.data, "data", "", "back up the store in this `directory`, which no server has open")
	cmd.Flags().StringVar(&b.since, "since", "", "back up what came after the backup in this `file`")
	cmd.Flags().Uint64Var(&b.after, "after", 0, "back up what came after this `revision`")
	asksNoServer(cmd, "data")
	cmd.MarkFlagsMutuallyExclusive("since", "after")
	return cmd
}

// options are what the backup goes on from.
func (b *backer) options(target string) (directory.BackupOptions, error) {
	if b.since == "" {
		return directory.BackupOptions{After: b.after}, nil
	}
	file, err := os.Open(b.since)
	if err != nil {
		return directory.BackupOptions{}, fmt.Errorf("--since: %w", err)
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return directory.BackupOptions{}, fmt.Errorf("--since: %w", err)
	}
	if there, err := os.Stat(target); err == nil && os.SameFile(before, there) {
		return directory.BackupOptions{}, fmt.Errorf("--since %s: it would be replaced by what can only be restored after it: choose another file for this backup", b.since)
	}
	// All of it is read: to go on from a backup that is damaged would be in vain.
	header, _, err := readBackup(file)
	if err != nil {
		return directory.BackupOptions{}, fmt.Errorf("--since %s: %w", b.since, err)
	}
	return directory.BackupOptions{After: header.To, Base: header.Tip}, nil
}

// write writes a backup, which is read as it goes by, as whoever restores it will.
func (b *backer) write(ctx context.Context, options directory.BackupOptions, w io.Writer) (backupReport, error) {
	passing, passed := io.Pipe()
	var report backupReport
	read := make(chan error, 1)
	go func() {
		header, bytes, err := readBackup(passing)
		passing.CloseWithError(err)
		report = newBackupReport(header, bytes)
		read <- err
	}()
	make := b.receive
	if b.data != "" {
		make = b.copyStore
	}
	err := make(ctx, options, io.MultiWriter(w, passed))
	passed.CloseWithError(err)
	if readErr := <-read; err == nil {
		err = readErr
	}
	return report, err
}

// copyStore backs up a store on disk.
func (b *backer) copyStore(ctx context.Context, options directory.BackupOptions, w io.Writer) error {
	if _, err := os.Stat(b.data); err != nil { // opening it would make it
		return fmt.Errorf("--data: %w", err)
	}
	_, err := directory.BackupStore(ctx, b.data, options, w, nil)
	return err
}

// receive takes a server's backup.
func (b *backer) receive(ctx context.Context, options directory.BackupOptions, w io.Writer) error {
	conn, err := b.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := verdictv1.NewBackupServiceClient(conn).Backup(ctx, &verdictv1.BackupRequest{
		AfterRevision: options.After, Base: options.Base,
	})
	if err != nil {
		return err
	}
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
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

// readBackup reads a backup to its end, and tells how long it is.
func readBackup(r io.Reader) (directory.BackupHeader, uint64, error) {
	reader, err := directory.NewBackupReader(r)
	for err == nil {
		_, err = reader.Next()
	}
	if !errors.Is(err, io.EOF) {
		return directory.BackupHeader{}, 0, err
	}
	return reader.Header(), reader.Size(), nil
}

// A backupReport is a backup as --output json prints it.
type backupReport struct {
	From    uint64    `json:"from"`
	To      uint64    `json:"to"`
	Oldest  uint64    `json:"oldest"`
	Time    time.Time `json:"time"`
	Tenants []string  `json:"tenants"`
	Bytes   uint64    `json:"bytes"`
}

func newBackupReport(h directory.BackupHeader, bytes uint64) backupReport {
	return backupReport{From: h.From, To: h.To, Oldest: h.Floor, Time: h.Time, Tenants: h.Tenants, Bytes: bytes}
}

// text is the report for people.
func (r backupReport) text() string {
	what := fmt.Sprintf("a full backup of revision %d", r.To)
	if r.From > 0 {
		what = fmt.Sprintf("a backup of what came after revision %d, to %d", r.From, r.To)
	}
	return fmt.Sprintf("%s, %s, with the past from revision %d on; tenants: %s", what, byteSize(r.Bytes), r.Oldest, names(r.Tenants))
}

// names are the names of tenants, of which there may be none.
func names(tenants []string) string {
	if len(tenants) == 0 {
		return "none"
	}
	return strings.Join(tenants, ", ")
}
