package grpcapi

import (
	"context"
	"time"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/server/status"
)

// An Overview is how a server does, for those who operate it.
type Overview struct {
	Version   string
	StartedAt time.Time
	// Amiss says what does not work although the server is ready; nil when all does.
	// Several things are told one by one when it joins them by errors.Join.
	Amiss error
	// CacheBytes is the memory of the entities that are kept decoded, of at most
	// CacheMaxBytes.
	CacheBytes, CacheMaxBytes int64
	// GRPCConnections and HTTPConnections are how many there are.
	GRPCConnections, HTTPConnections int
	// Directory is where it stands.
	Directory directory.State
	// Activities are the tenants'.
	Activities map[string]Activity
}

// An Activity is what has been asked of a tenant since the server began.
type Activity struct {
	// Allows, Denies and Errors are decisions by how they came out.
	Allows, Denies, Errors uint64
	// Searches are pages of them, and Plans filters of rows.
	Searches, Plans uint64
	// Within are how many decisions took at most as many seconds as stand at the same
	// place in Bounds, which rise.
	Bounds []float64
	Within []uint64
}

// addOverview tells of the server in an answer.
func (s *policyServer) addOverview(ctx context.Context, response *verdictv1.GetStatusResponse) error {
	overview, err := s.overview(ctx)
	if err != nil {
		return err
	}
	ready, missing := s.ready(), overview.Amiss
	if ready != nil {
		missing = ready
	}
	// It names tenants, and shows what is wrong with their policies.
	if s.guard.door.gate.Admit(ctx, caller.Status, "") != nil {
		missing = nil
	}
	response.Server = &verdictv1.ServerStatus{
		Version:         overview.Version,
		StartedAt:       timestampOf(overview.StartedAt),
		Ready:           ready == nil,
		Missing:         status.Texts(missing),
		CacheBytes:      uint64(overview.CacheBytes),
		CacheMaxBytes:   uint64(overview.CacheMaxBytes),
		CallsUnderWay:   uint64(s.guard.underWay.Load()),
		GrpcConnections: uint64(overview.GRPCConnections),
		HttpConnections: uint64(overview.HTTPConnections),
	}
	state := overview.Directory
	response.Directory = &verdictv1.DirectoryStatus{
		OldestRevision: state.Oldest, LatestRevision: state.Latest,
		TableBytes: uint64(state.Tables), LogBytes: uint64(state.Logs),
	}
	kept, last := state.Housekeeping, state.BackedUp
	response.Directory.ExpiredRevisions, response.Directory.ExpiredAt = kept.Expired, timestampOf(kept.ExpiredAt)
	response.Directory.Merges, response.Directory.MergedAt = kept.Merges, timestampOf(kept.MergedAt)
	response.Directory.ReclaimedBytes = kept.Reclaimed
	response.Directory.BackupRevision, response.Directory.BackupAt = last.Revision, timestampOf(last.At)
	records := state.ChangeRecords
	response.Directory.AuditMaxBytes, response.Directory.AuditOldestAt = uint64(records.MaxBytes), timestampOf(records.Oldest)
	if records.Bytes >= 0 {
		bytes := uint64(records.Bytes)
		response.Directory.AuditBytes = &bytes
	}
	if state.Free >= 0 {
		free := uint64(state.Free)
		response.Directory.FreeBytes = &free
	}
	for _, policy := range response.Policies {
		policy.DirectoryRevision = state.LastChanges[policy.Tenant]
		if activity, counted := overview.Activities[policy.Tenant]; counted {
			policy.Activity = activity.proto()
		}
	}
	return nil
}

func (a Activity) proto() *verdictv1.TenantActivity {
	message := &verdictv1.TenantActivity{Allows: a.Allows, Denies: a.Denies, Errors: a.Errors, Searches: a.Searches, Plans: a.Plans}
	for i, bound := range a.Bounds {
		message.Latencies = append(message.Latencies, &verdictv1.LatencyBucket{Seconds: bound, Decisions: a.Within[i]})
	}
	return message
}
