package grpcapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

// takeBackup takes a backup to its end.
func takeBackup(ctx context.Context, conn *grpc.ClientConn, request *verdictv1.BackupRequest) ([]byte, error) {
	stream, err := verdictv1.NewBackupServiceClient(conn).Backup(ctx, request)
	if err != nil {
		return nil, err
	}
	var taken []byte
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return taken, nil
		}
		if err != nil {
			return taken, err
		}
		if len(part.GetChunk()) > maxChunkBytes {
			return nil, errors.New("a chunk is too long")
		}
		taken = append(taken, part.GetChunk()...)
	}
}

func TestBackup(t *testing.T) {
	d := newDirectory(t)
	_, conn := start(t, Options{Directory: d})
	client := verdictv1.NewDirectoryServiceClient(conn)
	for _, tenant := range []string{"default", "blue"} {
		lines := sample + `{"entity":{"type":"user","id":"long","attributes":{"text":"` + strings.Repeat("x", 60_000) + `"}}}` + "\n"
		if _, err := importLines(t, client, &verdictv1.ImportOptions{Tenant: tenant}, lines, 1<<16); err != nil {
			t.Fatal(err)
		}
	}
	for _, after := range []uint64{0, 1} {
		taken, err := takeBackup(t.Context(), conn, &verdictv1.BackupRequest{AfterRevision: after})
		if err != nil {
			t.Fatal(err)
		}
		var want bytes.Buffer
		if _, err := d.Backup(t.Context(), directory.BackupOptions{After: after}, &want); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(taken, want.Bytes()) {
			t.Errorf("after revision %d, %d bytes are sent, expected %d", after, len(taken), want.Len())
		}
	}
	_, err := takeBackup(t.Context(), conn, &verdictv1.BackupRequest{AfterRevision: 1, Base: "another"})
	wantStatus(t, err, codes.FailedPrecondition)
	_, err = takeBackup(t.Context(), conn, &verdictv1.BackupRequest{AfterRevision: 7})
	wantStatus(t, err, codes.FailedPrecondition)
}

// An endlessBacker backs up without end, once it was let, until it cannot write.
type endlessBacker struct {
	Directory
	begun chan struct{}
	ended chan error
}

func (b endlessBacker) Backup(ctx context.Context, _ directory.BackupOptions, w io.Writer) (directory.BackupReport, error) {
	b.begun <- struct{}{}
	piece := make([]byte, maxChunkBytes)
	for {
		if _, err := w.Write(piece); err != nil {
			b.ended <- err
			return directory.BackupReport{}, err
		}
		if ctx.Err() != nil {
			b.ended <- ctx.Err()
			return directory.BackupReport{}, ctx.Err()
		}
	}
}

func newEndlessBacker(t *testing.T) endlessBacker {
	return endlessBacker{newDirectory(t), make(chan struct{}, 1), make(chan error, 1)}
}

// TestOneBackupAtATime has a second one asked for while the first is not taken,
// and a third when that has been given up.
func TestOneBackupAtATime(t *testing.T) {
	backer := newEndlessBacker(t)
	_, conn := start(t, Options{Directory: backer})
	ctx, giveUp := context.WithCancel(t.Context())
	if _, err := verdictv1.NewBackupServiceClient(conn).Backup(ctx, &verdictv1.BackupRequest{}); err != nil {
		t.Fatal(err)
	}
	<-backer.begun
	_, err := takeBackup(t.Context(), conn, &verdictv1.BackupRequest{})
	if st := wantStatus(t, err, codes.ResourceExhausted); !strings.Contains(st.Message(), "another backup is being made") {
		t.Errorf("message = %q", st.Message())
	}
	giveUp()
	<-backer.ended
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		stream, err := verdictv1.NewBackupServiceClient(conn).Backup(ctx, &verdictv1.BackupRequest{})
		if err == nil {
			_, err = stream.Recv()
		}
		if err == nil {
			break
		}
		wantStatus(t, err, codes.ResourceExhausted) // for a moment
	}
	<-backer.begun
	cancel()
	<-backer.ended
}

// TestStalledBackupEnds never reads: the backup ends, and lets go of the past.
func TestStalledBackupEnds(t *testing.T) {
	backer := newEndlessBacker(t)
	closing, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := grpc.NewServer()
	verdictv1.RegisterBackupServiceServer(server, &backupServer{directory: backer, closing: closing, stall: 50 * time.Millisecond})
	listener := bufconn.Listen(1 << 20)
	go func() { _ = server.Serve(listener) }() // until it is stopped
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	stream, err := verdictv1.NewBackupServiceClient(conn).Backup(t.Context(), &verdictv1.BackupRequest{})
	if err != nil {
		t.Fatal(err)
	}
	<-backer.begun
	if err := <-backer.ended; err == nil {
		t.Error("the backup ended without an error")
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if !strings.Contains(err.Error(), "nothing of the backup was taken for 50ms") { // the guard would make its status
		t.Errorf("error = %v", err)
	}
}

// TestBackupEndsWithTheServer closes a server while nobody takes its backup.
func TestBackupEndsWithTheServer(t *testing.T) {
	backer := newEndlessBacker(t)
	server, conn := start(t, Options{Directory: backer})
	stream, err := verdictv1.NewBackupServiceClient(conn).Backup(t.Context(), &verdictv1.BackupRequest{})
	if err != nil {
		t.Fatal(err)
	}
	<-backer.begun
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shut := make(chan error, 1)
	go func() { shut <- server.Shutdown(ctx) }()
	<-backer.ended
	for err == nil {
		_, err = stream.Recv()
	}
	wantStatus(t, err, codes.Unavailable)
	if err := <-shut; err != nil {
		t.Error(err)
	}
}
