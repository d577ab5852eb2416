package grpcapi

import (
	"context"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

func (s *directoryServer) ListEntities(ctx context.Context, message *verdictv1.ListEntitiesRequest) (*verdictv1.ListEntitiesResponse, error) {
	if err := (authz.EntityRef{Type: message.GetType(), ID: "any"}).Validate(); err != nil {
		return nil, authz.InField("type", err)
	}
	page, err := listing[directory.Record, *verdictv1.EntityRecord]{
		of: []string{"entities", message.GetType()},
		read: func(snapshot *directory.Snapshot, after string, limit int) ([]directory.Record, error) {
			return snapshot.Entities(message.GetType(), after, limit)
		},
		id:      func(r directory.Record) string { return r.Ref.ID },
		message: recordMessage,
	}.page(ctx, s.directory, s.memory, message)
	if err != nil {
		return nil, err
	}
	return &verdictv1.ListEntitiesResponse{Entities: page.messages, NextPageToken: page.next, DirectoryRevision: page.revision}, nil
}

func (s *directoryServer) ListGrants(ctx context.Context, message *verdictv1.ListGrantsRequest) (*verdictv1.ListGrantsResponse, error) {
	query, err := queryOf(message)
	if err != nil {
		return nil, err
	}
	page, err := listing[authz.Grant, *verdictv1.Grant]{
		of: []string{"grants", message.GetSubject(), message.GetRole(), message.GetScope()},
		read: func(snapshot *directory.Snapshot, after string, limit int) ([]authz.Grant, error) {
			return snapshot.Grants(query, after, limit)
		},
		id:      func(g authz.Grant) string { return g.ID },
		message: grantMessage,
	}.page(ctx, s.directory, s.memory, message)
	if err != nil {
		return nil, err
	}
	return &verdictv1.ListGrantsResponse{Grants: page.messages, NextPageToken: page.next, DirectoryRevision: page.revision}, nil
}

// queryOf is the query of a message. Like a grant itself, it names no other
// tenant.
func queryOf(message *verdictv1.ListGrantsRequest) (directory.GrantQuery, error) {
	var query directory.GrantQuery
	root := authz.Root(tenantOf(message.GetTenant()))
	var errs []error
	for _, filter := range []struct {
		field, text string
		ref         *authz.EntityRef
	}{
		{"subject", message.GetSubject(), &query.Subject},
		{"role", message.GetRole(), &query.Role},
		{"scope", message.GetScope(), &query.Scope},
	} {
		if filter.text == "" {
			continue
		}
		ref, err := refOf(filter.field, filter.text)
		if err == nil && ref.IsRoot() && ref != root {
			err = authz.InvalidField(filter.field, "%s is another tenant: here only %s can be named", authz.Quote(filter.text), root)
		}
		if err != nil {
			errs = append(errs, err)
		}
		*filter.ref = ref
	}
	return query, authz.JoinInvalid(errs)
}
