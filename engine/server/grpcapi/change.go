package grpcapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// batchOf is the batch of a message. It refuses what a batch cannot express;
// the rest is the directory's to check.
func batchOf(message *verdictv1.WriteRequest) (authz.Batch, error) {
	// Limits first, so that a batch without end is not read to its end.
	if n := len(message.GetChanges()); n > authz.MaxBatchChanges {
		return authz.Batch{}, authz.InvalidField("changes", "the batch has %d changes: at most %d are allowed, send several batches", n, authz.MaxBatchChanges)
	}
	if n := len(message.GetPreconditions()); n > authz.MaxBatchChanges {
		return authz.Batch{}, authz.InvalidField("preconditions", "the batch has %d preconditions: at most %d are allowed", n, authz.MaxBatchChanges)
	}
	batch := authz.Batch{
		Changes:       make([]authz.Change, len(message.GetChanges())),
		Preconditions: make([]authz.Precondition, len(message.GetPreconditions())),
	}
	var errs []error
	for i, m := range message.GetPreconditions() {
		precondition, err := preconditionOf(m)
		if err != nil {
			errs = append(errs, authz.InField(fmt.Sprintf("preconditions[%d]", i), err))
		}
		batch.Preconditions[i] = precondition
	}
	for i, m := range message.GetChanges() {
		change, err := changeOf(m)
		if err != nil {
			errs = append(errs, authz.InField(fmt.Sprintf("changes[%d]", i), err))
		}
		batch.Changes[i] = change
	}
	return batch, authz.JoinInvalid(errs)
}

// inMessage names the fields of a refused batch as its message does: the
// attributes of an entity are a JSON text there.
func inMessage(err error) error {
	var refused *authz.Error
	if !errors.As(err, &refused) || len(refused.Violations) == 0 {
		return err
	}
	named := *refused
	named.Violations = slices.Clone(refused.Violations)
	for i, v := range named.Violations {
		named.Violations[i].Field = strings.Replace(v.Field, ".put_entity.attributes", ".put_entity.attributes_json", 1)
	}
	return &named
}

func preconditionOf(message *verdictv1.Precondition) (authz.Precondition, error) {
	ref, err := refOf("entity", message.GetEntity())
	if err != nil {
		return authz.Precondition{}, err
	}
	switch condition := message.GetCondition().(type) {
	case *verdictv1.Precondition_Absent_:
		return authz.Precondition{Ref: ref}, nil
	case *verdictv1.Precondition_Revision:
		if condition.Revision == 0 {
			return authz.Precondition{}, authz.InvalidField("revision", "0 is no revision: set absent for an entity that does not exist")
		}
		return authz.Precondition{Ref: ref, Revision: condition.Revision}, nil
	default:
		return authz.Precondition{}, authz.Errorf(authz.Invalid, "the precondition has no condition: set absent or revision")
	}
}

func changeOf(message *verdictv1.Change) (authz.Change, error) {
	switch change := message.GetChange().(type) {
	case *verdictv1.Change_PutEntity:
		entity, err := entityOf(change.PutEntity)
		return authz.Change{PutEntity: &entity}, authz.InField("put_entity", err)
	case *verdictv1.Change_PutGrant:
		grant, err := grantOf(change.PutGrant)
		return authz.Change{PutGrant: &grant}, authz.InField("put_grant", err)
	case *verdictv1.Change_DeleteEntity:
		ref, err := refOf("delete_entity", change.DeleteEntity)
		return authz.Change{DeleteEntity: &ref}, err
	case *verdictv1.Change_DeleteGrant:
		return authz.Change{DeleteGrant: &change.DeleteGrant}, nil
	default:
		return authz.Change{}, authz.Errorf(authz.Invalid, "the change is empty: set put_entity, put_grant, delete_entity or delete_grant")
	}
}

func entityOf(message *verdictv1.Entity) (authz.Entity, error) {
	entity := authz.Entity{Ref: authz.EntityRef{Type: message.GetType(), ID: message.GetId()}}
	if text := message.GetAttributesJson(); text != "" {
		entity.Attributes = []byte(text)
	}
	if n := len(message.GetParents()); n > authz.MaxParents {
		return entity, authz.InvalidField("parents", "%s has %d parents: at most %d are allowed", authz.Quote(entity.Ref.String()), n, authz.MaxParents)
	}
	var errs []error
	for i, text := range message.GetParents() {
		parent, err := refOf(fmt.Sprintf("parents[%d]", i), text)
		if err != nil {
			errs = append(errs, err)
		}
		entity.Parents = append(entity.Parents, parent)
	}
	return entity, authz.JoinInvalid(errs)
}

func grantOf(message *verdictv1.Grant) (authz.Grant, error) {
	var errs []error
	collect := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	grant := authz.Grant{ID: message.GetId(), Reason: message.GetReason()}
	var err error
	grant.Subject, err = refOf("subject", message.GetSubject())
	collect(err)
	grant.Role, err = refOf("role", message.GetRole())
	collect(err)
	if message.GetScope() != "" {
		grant.Scope, err = refOf("scope", message.GetScope())
		collect(err)
	}
	grant.NotBefore, err = timeOf("not_before", message.GetNotBefore())
	collect(err)
	grant.NotAfter, err = timeOf("not_after", message.GetNotAfter())
	collect(err)
	return grant, authz.JoinInvalid(errs)
}

func refOf(field, text string) (authz.EntityRef, error) {
	ref, err := authz.ParseEntityRef(text)
	if err != nil {
		return authz.EntityRef{}, authz.InField(field, err)
	}
	return ref, nil
}

// timeOf is the time of a message, the zero time of nil. The time that Go takes
// for zero is refused: as a grant's end it would leave the grant without one.
func timeOf(field string, message *timestamppb.Timestamp) (time.Time, error) {
	if message == nil {
		return time.Time{}, nil
	}
	if err := message.CheckValid(); err != nil {
		return time.Time{}, authz.InvalidField(field, "seconds %d and nanos %d are no time between the years 1 and 9999",
			message.GetSeconds(), message.GetNanos())
	}
	t := message.AsTime()
	if t.IsZero() {
		return time.Time{}, authz.InvalidField(field, "%s cannot be a bound: leave it out for an open one", t.Format(time.RFC3339))
	}
	return t, nil
}

func timestampOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func changeMessage(change authz.Change) *verdictv1.Change {
	switch {
	case change.PutEntity != nil:
		return &verdictv1.Change{Change: &verdictv1.Change_PutEntity{PutEntity: entityMessage(*change.PutEntity)}}
	case change.PutGrant != nil:
		return &verdictv1.Change{Change: &verdictv1.Change_PutGrant{PutGrant: grantMessage(*change.PutGrant)}}
	case change.DeleteEntity != nil:
		return &verdictv1.Change{Change: &verdictv1.Change_DeleteEntity{DeleteEntity: change.DeleteEntity.String()}}
	case change.DeleteGrant != nil:
		return &verdictv1.Change{Change: &verdictv1.Change_DeleteGrant{DeleteGrant: *change.DeleteGrant}}
	default:
		return &verdictv1.Change{}
	}
}

func entityMessage(entity authz.Entity) *verdictv1.Entity {
	message := &verdictv1.Entity{Type: entity.Ref.Type, Id: entity.Ref.ID, AttributesJson: "{}"}
	if len(entity.Attributes) > 0 {
		message.AttributesJson = string(entity.Attributes)
	}
	for _, parent := range entity.Parents {
		message.Parents = append(message.Parents, parent.String())
	}
	return message
}

func grantMessage(grant authz.Grant) *verdictv1.Grant {
	return &verdictv1.Grant{
		Id:        grant.ID,
		Subject:   grant.Subject.String(),
		Role:      grant.Role.String(),
		Scope:     grant.Scope.String(),
		NotBefore: timestampOf(grant.NotBefore),
		NotAfter:  timestampOf(grant.NotAfter),
		Reason:    grant.Reason,
	}
}
