package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// backup is half of the peak, alone and while all is backed up again and again.
func (b *bench) backup(ctx context.Context) error {
	messages, err := checks(customer)
	if err != nil {
		return err
	}
	t := newTable("half of the peak")
	var made []string
	for _, beside := range []bool{false, true, false, true} {
		backups, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			var err error
			for beside && err == nil && backups.Err() == nil {
				var told string
				if told, err = b.server.backup(backups); err == nil {
					made = append(made, told)
				}
			}
			done <- err
		}()
		s, err := b.open(ctx, here, messages, b.peak/2, false)
		stop()
		if failed := <-done; failed != nil && backups.Err() == nil {
			err = errors.Join(err, failed)
		}
		if err != nil {
			return err
		}
		t.row(map[bool]string{false: "alone", true: "beside backups"}[beside], s)
	}
	if err := t.print(); err != nil {
		return err
	}
	fmt.Println(strings.Join(made, "\n"))
	return nil
}

// backup takes a backup, and tells how it went.
func (s *server) backup(ctx context.Context) (told string, err error) {
	conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	start := time.Now()
	stream, err := verdictv1.NewBackupServiceClient(conn).Backup(ctx, &verdictv1.BackupRequest{})
	if err != nil {
		return "", err
	}
	size := 0
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		size += len(part.GetChunk())
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.command.Process.Pid))
	resident := ""
	for line := range strings.Lines(string(status)) {
		if after, found := strings.CutPrefix(line, "VmHWM:"); found && err == nil {
			resident = ", the server's memory at most " + strings.TrimSpace(after)
		}
	}
	return fmt.Sprintf("a backup of %d MiB took %s%s", size>>20, time.Since(start).Round(10*time.Millisecond), resident), nil
}
