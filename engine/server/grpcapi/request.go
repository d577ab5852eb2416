package grpcapi

import (
	"cmp"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// tenantOf is the tenant that a request means by a name.
func tenantOf(name string) string { return cmp.Or(name, authz.DefaultTenant) }

// A parts is a message with the four parts of a request.
type parts interface {
	GetSubject() *verdictv1.Subject
	GetAction() *verdictv1.Action
	GetResource() *verdictv1.Resource
	GetContext() *structpb.Struct
}

// setParts sets the parts that the message has.
func setParts(request *authz.Request, message parts) error {
	var errs []error
	object := func(field string, message *structpb.Struct) authz.Object {
		object, err := objectOf(field, message)
		if err != nil {
			errs = append(errs, err)
		}
		return object
	}
	if subject := message.GetSubject(); subject != nil {
		request.Subject = authz.Subject{Type: subject.GetType(), ID: subject.GetId(),
			Properties: object("subject.properties", subject.GetProperties())}
	}
	if action := message.GetAction(); action != nil {
		request.Action = authz.Action{Name: action.GetName(),
			Properties: object("action.properties", action.GetProperties())}
	}
	if resource := message.GetResource(); resource != nil {
		request.Resource = authz.Resource{Type: resource.GetType(), ID: resource.GetId(),
			Properties: object("resource.properties", resource.GetProperties())}
	}
	if context := message.GetContext(); context != nil {
		request.Context = object("context", context)
	}
	return authz.JoinInvalid(errs)
}

// consistencyOf is the consistency of a message; nil asks for the latest.
func consistencyOf(message *verdictv1.Consistency) (authz.Consistency, error) {
	switch requirement := message.GetRequirement().(type) {
	case *verdictv1.Consistency_AtLeast:
		return authz.Consistency{AtLeast: requirement.AtLeast}, nil
	case *verdictv1.Consistency_Exact:
		if requirement.Exact == 0 {
			return authz.Consistency{}, authz.InvalidField("consistency.exact", "0 is no revision: leave consistency out for the latest")
		}
		return authz.Consistency{Exact: requirement.Exact}, nil
	default:
		return authz.Consistency{}, nil
	}
}
