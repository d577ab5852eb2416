package grpcapi

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

// Watch sends the header at once, so that a caller can tell a watch that waits
// from one that was not accepted yet.
func (s *directoryServer) Watch(message *verdictv1.WatchRequest, stream grpc.ServerStreamingServer[verdictv1.WatchResponse]) error {
	if err := stream.SendHeader(metadata.MD{}); err != nil {
		return err
	}
	return s.directory.Watch(stream.Context(), tenantOf(message.GetTenant()), message.GetAfterRevision(), func(record directory.ChangeRecord) error {
		return s.sendChanges(stream, record)
	})
}

// sendChanges sends one record, in as many messages as it needs: the changes of
// each have one author. It waits while the caller does not read, and the record is kept
// until then.
func (s *directoryServer) sendChanges(stream grpc.ServerStreamingServer[verdictv1.WatchResponse], record directory.ChangeRecord) error {
	parts := make([]*verdictv1.Change, len(record.Changes))
	all := 0
	for i, change := range record.Changes {
		parts[i] = changeMessage(change)
		all += proto.Size(parts[i])
	}
	defer s.memory.intake.Keep(stream.Context(), all)()
	message := &verdictv1.WatchResponse{Revision: record.Revision, CommittedAt: timestampOf(record.Time)}
	bytes := 0
	var author *authz.Author
	for i, part := range parts {
		another := i > 0 && !sameAuthor(author, record.Author(i))
		author = record.Author(i)
		if bytes > maxAnswerBytes || another {
			message.Continued = true
			if err := stream.Send(message); err != nil {
				return err
			}
			message = &verdictv1.WatchResponse{Revision: message.Revision, CommittedAt: message.CommittedAt}
			bytes = 0
		}
		message.Author = authorMessage(author)
		message.Changes = append(message.Changes, part)
		bytes += proto.Size(part)
	}
	return stream.Send(message)
}
