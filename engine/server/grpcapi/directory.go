package grpcapi

import (
	"context"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

// A directoryServer keeps entities and grants. Listings are in list.go, whole
// directories in transfer.go, changes as they come in watch.go, what is amiss in
// check.go.
type directoryServer struct {
	verdictv1.UnimplementedDirectoryServiceServer
	directory Directory
	memory    *memory
}

func (s *directoryServer) Write(ctx context.Context, message *verdictv1.WriteRequest) (*verdictv1.WriteResponse, error) {
	batch, err := batchOf(message)
	if err != nil {
		return nil, err
	}
	if batch.Author, err = authorOf(ctx, message); err != nil {
		return nil, err
	}
	revision, err := s.directory.Write(ctx, tenantOf(message.GetTenant()), batch)
	if err != nil {
		return nil, inMessage(err)
	}
	return &verdictv1.WriteResponse{Revision: revision}, nil
}

func (s *directoryServer) GetEntity(ctx context.Context, message *verdictv1.GetEntityRequest) (*verdictv1.GetEntityResponse, error) {
	ref, err := refOf("entity", message.GetEntity())
	if err != nil {
		return nil, err
	}
	consistency, err := consistencyOf(message.GetConsistency())
	if err != nil {
		return nil, err
	}
	snapshot, err := s.directory.Snapshot(ctx, tenantOf(message.GetTenant()), consistency)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	record, err := snapshot.Record(ref)
	if err != nil {
		return nil, err
	}
	return &verdictv1.GetEntityResponse{Entity: recordMessage(record), DirectoryRevision: snapshot.Revision()}, nil
}

func recordMessage(record directory.Record) *verdictv1.EntityRecord {
	return &verdictv1.EntityRecord{Entity: entityMessage(record.Entity), Revision: record.Revision}
}
