package grpcapi

import (
	"context"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

func (s *directoryServer) CheckDirectory(ctx context.Context, message *verdictv1.CheckDirectoryRequest) (*verdictv1.CheckDirectoryResponse, error) {
	report, err := s.directory.Check(ctx, tenantOf(message.GetTenant()), directory.CheckOptions{Deep: message.GetDeep()})
	if err != nil {
		return nil, err
	}
	response := &verdictv1.CheckDirectoryResponse{DirectoryRevision: report.Revision, Damage: report.Damage}
	for _, d := range report.DanglingParents {
		response.Dangling = append(response.Dangling, &verdictv1.DanglingReference{
			Holder: &verdictv1.DanglingReference_Entity{Entity: d.Entity.String()},
			Member: "parents",
			Ref:    d.Parent.String(),
		})
	}
	for _, d := range report.DanglingGrants {
		response.Dangling = append(response.Dangling, &verdictv1.DanglingReference{
			Holder: &verdictv1.DanglingReference_Grant{Grant: d.GrantID},
			Member: d.Member,
			Ref:    d.Ref.String(),
		})
	}
	return response, nil
}
