package main

import (
	"context"

	"github.com/verdictpdp/verdict/engine/server/grpcapi"
)

// overview is how the service does, for PolicyService.GetStatus.
func (s *service) overview(ctx context.Context) (grpcapi.Overview, error) {
	state, err := s.directory.State(ctx)
	if err != nil {
		return grpcapi.Overview{}, err
	}
	cache := s.cache.Stats()
	overview := grpcapi.Overview{
		Version: readVersion().Version, StartedAt: s.startedAt, Amiss: s.amiss(),
		CacheBytes: cache.Bytes, CacheMaxBytes: cache.MaxBytes,
		GRPCConnections: s.grpcConnections.count(), HTTPConnections: s.httpConnections.count(),
		Directory: state, Activities: make(map[string]grpcapi.Activity, len(s.tenants)),
	}
	for _, tenant := range s.tenants {
		overview.Activities[tenant] = grpcapi.Activity(s.metrics.Activity(tenant))
	}
	return overview, nil
}
