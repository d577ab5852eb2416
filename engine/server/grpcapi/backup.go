package grpcapi

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/panics"
)

// A Backer copies all that is kept, of all tenants.
type Backer interface {
	Backup(ctx context.Context, options directory.BackupOptions, w io.Writer) (directory.BackupReport, error)
}

// maxStall is how long a backup waits for whoever takes it to take some of it.
// Until it ends, what it holds of the past is not discarded.
const maxStall = time.Minute

// A backupServer makes one backup at a time: more would hold up one another, and
// what decides.
type backupServer struct {
	verdictv1.UnimplementedBackupServiceServer
	directory Backer
	closing   context.Context
	stall     time.Duration
	making    atomic.Bool
}

func (s *backupServer) Backup(message *verdictv1.BackupRequest, stream grpc.ServerStreamingServer[verdictv1.BackupResponse]) error {
	if !s.making.CompareAndSwap(false, true) {
		return &authz.Error{Kind: authz.Overloaded, Message: "another backup is being made: wait until it is done", RetryAfter: s.stall}
	}
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	options := directory.BackupOptions{After: message.GetAfterRevision(), Base: message.GetBase()}
	stalled := make(chan struct{})
	waiting := time.AfterFunc(s.stall, func() { close(stalled) })
	waiting.Stop()
	made := make(chan error, 1)
	// A message that nobody takes is given up only when this method has returned,
	// and so it is another goroutine that sends.
	go func() {
		err := s.make(ctx, options, backupWriter{stream, waiting, s.stall})
		s.making.Store(false) // before whoever took it knows of the end, and asks for another
		made <- err
	}()
	select {
	case err := <-made:
		return err
	case <-stalled:
		return authz.Errorf(authz.FailedPrecondition, "nothing of the backup was taken for %s: have it go where it is taken faster", s.stall)
	case <-s.closing.Done():
		return errClosing
	}
}

func (s *backupServer) make(ctx context.Context, options directory.BackupOptions, w io.Writer) (err error) {
	defer panics.Catch("backup", &err)
	pieces := bufio.NewWriterSize(w, maxChunkBytes)
	if _, err := s.directory.Backup(ctx, options, pieces); err != nil {
		return err
	}
	return pieces.Flush()
}

// A backupWriter sends pieces of a backup, and has the time run while it waits.
type backupWriter struct {
	stream  grpc.ServerStreamingServer[verdictv1.BackupResponse]
	waiting *time.Timer
	stall   time.Duration
}

func (w backupWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		n := min(len(p), maxChunkBytes)
		w.waiting.Reset(w.stall)
		// A message sent belongs to the stream, the buffer to its owner.
		err := w.stream.Send(&verdictv1.BackupResponse{Chunk: bytes.Clone(p[:n])})
		w.waiting.Stop()
		if err != nil {
			return written, err
		}
		p = p[n:]
		written += n
	}
	return written, nil
}
