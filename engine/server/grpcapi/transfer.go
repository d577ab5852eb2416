package grpcapi

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"google.golang.org/grpc"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

func (s *directoryServer) Import(stream grpc.ClientStreamingServer[verdictv1.ImportRequest, verdictv1.ImportResponse]) error {
	first, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	options := first.GetOptions()
	if options == nil {
		return authz.InvalidField("options", "the first message has none: send the options before the lines")
	}
	author, err := authorOf(stream.Context(), options)
	if err != nil {
		return authz.InField("options", err)
	}
	lines := &chunkReader{stream: stream}
	report, err := s.directory.Import(stream.Context(), tenantOf(options.GetTenant()), lines, directory.ImportOptions{
		ValidateOnly: options.GetValidateOnly(),
		KeepGoing:    options.GetKeepGoing(),
		Author:       author,
	})
	if lines.err != nil {
		return lines.err
	}
	if err != nil {
		return err
	}
	return stream.SendAndClose(reportMessage(report))
}

// A chunkReader reads the lines of an import.
type chunkReader struct {
	stream grpc.ClientStreamingServer[verdictv1.ImportRequest, verdictv1.ImportResponse]
	rest   []byte // of the last chunk
	err    error  // what ended the stream early
}

func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		message, err := r.stream.Recv()
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err == nil && message.GetOptions() != nil {
			err = authz.InvalidField("options", "they stand in the first message only")
		}
		if err != nil {
			r.err = err
			return 0, err
		}
		r.rest = message.GetChunk()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func reportMessage(report directory.ImportReport) *verdictv1.ImportResponse {
	message := &verdictv1.ImportResponse{
		Lines:     uint64(report.Lines),
		Applied:   uint64(report.Applied),
		Unchanged: uint64(report.Unchanged),
		Refused:   uint64(report.Refused),
		Revision:  report.Revision,
	}
	for _, e := range report.Errors {
		message.Errors = append(message.Errors, &verdictv1.LineError{Line: uint64(e.Line), Message: e.Message})
	}
	return message
}

// maxChunkBytes bounds a chunk of an export, so that its message fits into a buffer that
// gRPC has: the next larger one is 1 MiB.
const maxChunkBytes = 32<<10 - 64

func (s *directoryServer) Export(message *verdictv1.ExportRequest, stream grpc.ServerStreamingServer[verdictv1.ExportResponse]) error {
	consistency, err := consistencyOf(message.GetConsistency())
	if err != nil {
		return err
	}
	lines := bufio.NewWriterSize(chunkWriter{stream}, maxChunkBytes)
	revision, err := s.directory.Export(stream.Context(), tenantOf(message.GetTenant()), consistency, lines)
	if err != nil {
		return err
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	return stream.Send(&verdictv1.ExportResponse{DirectoryRevision: revision})
}

// A chunkWriter sends the lines of an export. It waits while the caller does
// not read.
type chunkWriter struct {
	stream grpc.ServerStreamingServer[verdictv1.ExportResponse]
}

func (w chunkWriter) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		n := min(len(p), maxChunkBytes)
		// A message sent belongs to the stream, the buffer to its owner.
		if err := w.stream.Send(&verdictv1.ExportResponse{Chunk: bytes.Clone(p[:n])}); err != nil {
			return written, err
		}
		p = p[n:]
		written += n
	}
	return written, nil
}
