package grpcapi

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

const (
	defaultPageSize = 100
	maxPageSize     = 1_000
	// maxAnswerBytes bounds an answer, give or take one element: clients
	// receive at most 4 MiB unless told otherwise.
	maxAnswerBytes = 2 << 20
	// readAtOnce is how many elements of a page are read from the directory at
	// a time, so that large ones do not pile up behind a page that is full.
	readAtOnce = 50
)

func (s *directoryServer) ListEntities(ctx context.Context, message *verdictv1.ListEntitiesRequest) (*verdictv1.ListEntitiesResponse, error) {
	if err := (authz.EntityRef{Type: message.GetType(), ID: "any"}).Validate(); err != nil {
		return nil, authz.InField("type", err)
	}
	tenant := tenantOf(message.GetTenant())
	listing := []string{"entities", tenant, message.GetType()}
	token, size, err := pageOf(message, listing)
	if err != nil {
		return nil, err
	}
	snapshot, err := s.snapshotAt(ctx, tenant, token, message.GetConsistency())
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	page := pageReader[directory.Record, *verdictv1.EntityRecord]{
		read: func(after string, limit int) ([]directory.Record, error) {
			return snapshot.Entities(message.GetType(), after, limit)
		},
		id:      func(r directory.Record) string { return r.Ref.ID },
		message: recordMessage,
	}
	records, last, err := page.readPage(ctx, token.after, size)
	if err != nil {
		return nil, err
	}
	response := &verdictv1.ListEntitiesResponse{Entities: records, DirectoryRevision: snapshot.Revision()}
	if last != "" {
		response.NextPageToken = pageToken{revision: snapshot.Revision(), after: last}.text(listing...)
	}
	return response, nil
}

func (s *directoryServer) ListGrants(ctx context.Context, message *verdictv1.ListGrantsRequest) (*verdictv1.ListGrantsResponse, error) {
	query, err := queryOf(message)
	if err != nil {
		return nil, err
	}
	tenant := tenantOf(message.GetTenant())
	listing := []string{"grants", tenant, message.GetSubject(), message.GetRole(), message.GetScope()}
	token, size, err := pageOf(message, listing)
	if err != nil {
		return nil, err
	}
	snapshot, err := s.snapshotAt(ctx, tenant, token, message.GetConsistency())
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	page := pageReader[authz.Grant, *verdictv1.Grant]{
		read: func(after string, limit int) ([]authz.Grant, error) {
			return snapshot.Grants(query, after, limit)
		},
		id:      func(g authz.Grant) string { return g.ID },
		message: grantMessage,
	}
	grants, last, err := page.readPage(ctx, token.after, size)
	if err != nil {
		return nil, err
	}
	response := &verdictv1.ListGrantsResponse{Grants: grants, DirectoryRevision: snapshot.Revision()}
	if last != "" {
		response.NextPageToken = pageToken{revision: snapshot.Revision(), after: last}.text(listing...)
	}
	return response, nil
}

func queryOf(message *verdictv1.ListGrantsRequest) (directory.GrantQuery, error) {
	var query directory.GrantQuery
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
		if err != nil {
			errs = append(errs, err)
		}
		*filter.ref = ref
	}
	return query, authz.JoinInvalid(errs)
}

// pageOf is the token and the size of a page that a message asks for.
func pageOf(message interface {
	GetPageSize() int32
	GetPageToken() string
}, listing []string) (pageToken, int, error) {
	size := int(message.GetPageSize())
	switch {
	case size < 0 || size > maxPageSize:
		return pageToken{}, 0, authz.InvalidField("page_size", "%d: expected 1 to %d, or 0 for %d", size, maxPageSize, defaultPageSize)
	case size == 0:
		size = defaultPageSize
	}
	token, err := parsePageToken(message.GetPageToken(), listing...)
	return token, size, err
}

// A pageReader reads pages of elements E and makes messages M of them.
type pageReader[E any, M proto.Message] struct {
	read    func(after string, limit int) ([]E, error)
	id      func(E) string
	message func(E) M
}

// readPage reads the messages of a page, and the id to read on after; it is
// empty when there is nothing left to read.
func (p pageReader[E, M]) readPage(ctx context.Context, after string, size int) (page []M, last string, err error) {
	bytes := 0
	for {
		limit := min(readAtOnce, size-len(page)+1)
		elements, err := p.read(after, limit)
		if err != nil {
			return nil, "", err
		}
		for _, element := range elements {
			if len(page) == size || bytes > maxAnswerBytes {
				return page, after, nil
			}
			message := p.message(element)
			page = append(page, message)
			bytes += proto.Size(message)
			after = p.id(element)
		}
		if len(elements) < limit {
			return page, "", nil
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
	}
}
