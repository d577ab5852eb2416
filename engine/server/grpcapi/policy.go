package grpcapi

import (
	"context"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/eval"
)

// A policyServer tells which policies decide.
type policyServer struct {
	verdictv1.UnimplementedPolicyServiceServer
	policies Policies
	guard    *guard
	ready    func() error
	overview func(context.Context) (Overview, error)
	profile  func(tenant string) (eval.Profile, error)
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
	if message.GetRules() && s.profile != nil {
		for _, policy := range response.Policies {
			policy.Profile = s.profileOf(policy.GetTenant())
		}
	}
	if s.overview != nil {
		if err := s.addOverview(ctx, response); err != nil {
			return nil, err
		}
	}
	return response, nil
}

// maxProfiled is how many rules of a policy are told of.
const maxProfiled = 200

// profileOf is what the rules of a tenant's policy cost; nil where nobody can tell.
func (s *policyServer) profileOf(tenant string) *verdictv1.PolicyProfile {
	profile, err := s.profile(tenant)
	if err != nil || profile.Evaluations == 0 { // a tenant without a policy has none
		return nil
	}
	message := &verdictv1.PolicyProfile{Evaluations: profile.Evaluations}
	for _, cost := range profile.Rules[:min(len(profile.Rules), maxProfiled)] {
		message.Rules = append(message.Rules, &verdictv1.RuleCost{Rule: cost.Rule, Calls: cost.Calls, Time: durationpb.New(cost.Time)})
	}
	return message
}
