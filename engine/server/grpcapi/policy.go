package grpcapi

import (
	"context"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// A policyServer tells which policies decide.
type policyServer struct {
	verdictv1.UnimplementedPolicyServiceServer
	policies Policies
	guard    *guard
	ready    func() error
	overview func(context.Context) (Overview, error)
}

func (s *policyServer) GetStatus(ctx context.Context, message *verdictv1.GetStatusRequest) (*verdictv1.GetStatusResponse, error) {
	response := &verdictv1.GetStatusResponse{}
	for _, status := range s.policies.Status() {
		if message.GetTenant() != "" && message.GetTenant() != status.Tenant {
			continue
		}
		response.Policies = append(response.Policies, &verdictv1.PolicyStatus{
			Tenant:         status.Tenant,
			Bundle:         status.Bundle,
			Revision:       status.Revision,
			Evaluator:      status.Evaluator,
			ActivatedAt:    timestampOf(status.ActivatedAt),
			LastError:      status.LastError,
			LastErrorAt:    timestampOf(status.LastErrorAt),
			FallbackReason: status.FallbackReason,
		})
	}
	if message.GetTenant() != "" && len(response.Policies) == 0 {
		return nil, authz.Errorf(authz.NotFound, "unknown tenant %s: see tenants in the server's configuration", authz.Quote(message.GetTenant()))
	}
	if s.overview != nil {
		if err := s.addOverview(ctx, response); err != nil {
			return nil, err
		}
	}
	return response, nil
}
