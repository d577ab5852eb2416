package grpcapi

import (
	"cmp"
	"context"
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

// An Auditor tells who changed what.
type Auditor interface {
	Audit(ctx context.Context, tenant string, query directory.AuditQuery, from directory.AuditPlace, take func(directory.Recorded) bool) (next directory.AuditPlace, err error)
}

// An auditServer tells who changed what, when, from where and why.
type auditServer struct {
	verdictv1.UnimplementedAuditServiceServer
	changes Auditor
}

func (s *auditServer) ListChanges(ctx context.Context, message *verdictv1.ListChangesRequest) (*verdictv1.ListChangesResponse, error) {
	query, err := auditQueryOf(message)
	if err != nil {
		return nil, err
	}
	size := int(message.GetPageSize())
	if size < 0 || size > maxPageSize {
		return nil, authz.InvalidField("page_size", "%d: expected 1 to %d, or 0 for %d", size, maxPageSize, defaultPageSize)
	}
	size = cmp.Or(size, defaultPageSize)
	of := auditListing(message)
	token, err := parsePageToken(message.GetPageToken(), of...)
	if err != nil {
		return nil, err
	}
	response := &verdictv1.ListChangesResponse{}
	bytes := 0
	next, err := s.changes.Audit(ctx, tenantOf(message.GetTenant()), query, auditPlaceOf(token), func(r directory.Recorded) bool {
		if len(response.Changes) == size || bytes > maxAnswerBytes {
			return false
		}
		change := recordedMessage(r)
		response.Changes = append(response.Changes, change)
		bytes += proto.Size(change)
		return true
	})
	if err != nil {
		return nil, err
	}
	if next != (directory.AuditPlace{}) {
		response.NextPageToken = pageToken{revision: next.Revision, after: changeText(next)}.text(of...)
	}
	return response, nil
}

// auditListing tells the page tokens of a listing from others.
func auditListing(message *verdictv1.ListChangesRequest) []string {
	kind := "changes"
	if message.GetPolicyOnly() {
		kind = "policy changes"
	}
	return []string{
		tenantOf(message.GetTenant()), kind, message.GetEntity(), message.GetGrantsOf(), message.GetAuthor(), message.GetBundle(),
		message.GetSince().AsTime().Format(time.RFC3339Nano), message.GetUntil().AsTime().Format(time.RFC3339Nano),
	}
}

// changeText is the place of a change in its revision, as a page token holds it.
func changeText(at directory.AuditPlace) string {
	return string(binary.AppendUvarint(nil, uint64(at.Change)))
}

func auditPlaceOf(token pageToken) directory.AuditPlace {
	change, _ := binary.Uvarint([]byte(token.after)) // none in the token of the first page
	return directory.AuditPlace{Revision: token.revision, Change: int(change)}
}

func auditQueryOf(message *verdictv1.ListChangesRequest) (directory.AuditQuery, error) {
	query := directory.AuditQuery{Bundle: message.GetBundle(), PolicyOnly: message.GetPolicyOnly()}
	var errs []error
	for _, filter := range []struct {
		field, text string
		ref         *authz.EntityRef
	}{
		{"entity", message.GetEntity(), &query.Entity},
		{"grants_of", message.GetGrantsOf(), &query.GrantsOf},
		{"author", message.GetAuthor(), &query.Author},
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
	for _, bound := range []struct {
		field   string
		message *timestamppb.Timestamp
		time    *time.Time
	}{{"since", message.GetSince(), &query.Since}, {"until", message.GetUntil(), &query.Until}} {
		t, err := timeOf(bound.field, bound.message)
		if err != nil {
			errs = append(errs, err)
		}
		*bound.time = t
	}
	return query, authz.JoinInvalid(errs)
}

func recordedMessage(r directory.Recorded) *verdictv1.RecordedChange {
	message := &verdictv1.RecordedChange{Revision: r.Revision, CommittedAt: timestampOf(r.Time), Author: authorMessage(r.Author)}
	switch {
	case r.Policy != nil:
		message.Change = &verdictv1.RecordedChange_Policy{Policy: &verdictv1.PolicyChange{
			Bundle: r.Policy.Bundle, Path: r.Policy.Path, RevisionBefore: r.Policy.Before,
			Revision: r.Policy.Revision, Digest: r.Policy.Digest, Refused: r.Policy.Refused,
		}}
	case r.GrantID != "":
		change := &verdictv1.GrantChange{Id: r.GrantID}
		if r.Before != nil {
			change.Before = grantMessage(*r.Before)
		}
		if r.After != nil {
			change.After = grantMessage(*r.After)
		}
		message.Change = &verdictv1.RecordedChange_Grant{Grant: change}
	default:
		change := &verdictv1.EntityChange{Entity: r.Ref.String(), Deleted: r.Deleted()}
		if d := r.Entity; d != nil {
			change.Created, change.Attributes = d.Created, d.Attributes
			change.ParentsAdded, change.ParentsRemoved = refTexts(d.ParentsAdded), refTexts(d.ParentsRemoved)
		}
		message.Change = &verdictv1.RecordedChange_Entity{Entity: change}
	}
	return message
}

func refTexts(refs []authz.EntityRef) []string {
	var texts []string
	for _, ref := range refs {
		texts = append(texts, ref.String())
	}
	return texts
}
