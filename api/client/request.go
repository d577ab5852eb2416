package client

import (
	"cmp"
	"fmt"
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

// A batch is the message of many requests.
type batch struct {
	message *verdictv1.BatchCheckAccessRequest
	// places are where in the decisions those of the message's items belong.
	places []int
	// decisions has those of the requests that were not worth sending.
	decisions []authz.Decision
}

func (c *Client) batchOf(requests []authz.Request, options CheckOptions) (*batch, error) {
	if len(requests) == 0 || len(requests) > MaxBatch {
		return nil, authz.InvalidField("requests", "a batch of %d requests: 1 to %d are allowed", len(requests), MaxBatch)
	}
	var w writer
	tenant := c.tenantOf(&requests[0])
	b := &batch{
		message: &verdictv1.BatchCheckAccessRequest{
			Tenant:      w.text("tenant", tenant),
			Consistency: w.consistency(options.Consistency),
			Explain:     options.Explain,
		},
		decisions: make([]authz.Decision, len(requests)),
	}
	if err := authz.JoinInvalid(w.errs); err != nil {
		return nil, err
	}
	for i := range requests {
		if other := c.tenantOf(&requests[i]); other != tenant {
			return nil, authz.InvalidField(fmt.Sprintf("requests[%d].tenant", i),
				"%s is not the tenant of the first request, %s: a batch is of one tenant", authz.Quote(other), authz.Quote(tenant))
		}
		item, err := itemOf(&requests[i])
		if err != nil {
			b.decisions[i] = authz.Decision{Err: err}
			continue
		}
		b.message.Items = append(b.message.Items, item)
		b.places = append(b.places, i)
	}
	return b, nil
}

func itemOf(request *authz.Request) (*verdictv1.BatchCheckAccessItem, error) {
	var w writer
	item := &verdictv1.BatchCheckAccessItem{
		Subject:  w.subject(request.Subject),
		Action:   w.action(request.Action),
		Resource: w.resource(request.Resource),
		Context:  w.object("context", request.Context),
	}
	return item, authz.JoinInvalid(w.errs)
}

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
