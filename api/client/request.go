package client

import (
	"cmp"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// messageOf is the message of a request. What the wire cannot carry is an error
// here, of kind Invalid, so that it never fails a batch that others are in.
func (c *Client) messageOf(request *authz.Request, options CheckOptions) (*verdictv1.CheckAccessRequest, error) {
	var w writer
	message := &verdictv1.CheckAccessRequest{
		Tenant:      w.text("tenant", c.tenantOf(request)),
		Subject:     w.subject(request.Subject),
		Action:      w.action(request.Action),
		Resource:    w.resource(request.Resource),
		Context:     w.object("context", request.Context),
		Consistency: w.consistency(options.Consistency),
		Explain:     options.Explain,
	}
	return message, authz.JoinInvalid(w.errs)
}

func (c *Client) tenantOf(request *authz.Request) string { return cmp.Or(request.Tenant, c.tenant) }

// A writer makes the parts of messages, and keeps what is wrong with them.
type writer struct{ errs []error }

func (w *writer) subject(s authz.Subject) *verdictv1.Subject {
	return &verdictv1.Subject{
		Type:       w.text("subject.type", s.Type),
		Id:         w.text("subject.id", s.ID),
		Properties: w.object("subject.properties", s.Properties),
	}
}

func (w *writer) action(a authz.Action) *verdictv1.Action {
	return &verdictv1.Action{
		Name:       w.text("action.name", a.Name),
		Properties: w.object("action.properties", a.Properties),
	}
}

func (w *writer) resource(r authz.Resource) *verdictv1.Resource {
	return &verdictv1.Resource{
		Type:       w.text("resource.type", r.Type),
		Id:         w.text("resource.id", r.ID),
		Properties: w.object("resource.properties", r.Properties),
	}
}

func (w *writer) text(field, text string) string {
	if !utf8.ValidString(text) {
		w.errs = append(w.errs, authz.InvalidField(field, "is not valid UTF-8"))
	}
	return text
}

// object is the message of an object; of an empty one there is none, which means
// the same.
func (w *writer) object(field string, object authz.Object) *structpb.Struct {
	if len(object) == 0 {
		return nil
	}
	message, flaw := structOf(object, 1)
	if flaw != nil {
		w.errs = append(w.errs, authz.InvalidField(field+flaw.path, "%s", flaw.text))
	}
	return message
}

// consistency is the message of a consistency; of the zero value there is none,
// which means the same.
func (w *writer) consistency(c authz.Consistency) *verdictv1.Consistency {
	if err := c.Validate(); err != nil {
		w.errs = append(w.errs, err)
	}
	switch {
	case c.Exact != 0:
		return &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{Exact: c.Exact}}
	case c.AtLeast != 0:
		return &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: c.AtLeast}}
	default:
		return nil
	}
}
