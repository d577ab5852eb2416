package grpcapi

import (
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// The messages that ask for decisions are read from the wire straight into what
// the decider takes: with the generated messages between, reading would cost
// several times as much, see BenchmarkQuestion. Their strings are parts of one
// copy of the message, so that whoever keeps one for long keeps it all.
//
// A message that the cursor finds odd is read by the generated code. What that
// makes of it is right by definition; FuzzQuestion holds the two together.

// A question is a CheckAccessRequest as the decider takes it.
type question struct {
	request authz.Request
	options pdp.DecideOptions
	// refused is why the decider need not be asked.
	refused error
}

const (
	checkConsistency = 6<<numberShift | delimitedField
	checkExplain     = 7<<numberShift | varintField
)

func (q *question) read(c *cursor) {
	for tag := c.next(); tag != 0; tag = c.next() {
		switch tag {
		case checkConsistency:
			q.options.Consistency = c.consistency()
		case checkExplain:
			q.options.Explain = c.boolean()
		default:
			c.ofRequest(tag, &q.request)
		}
	}
	q.request.Tenant = tenantOf(q.request.Tenant)
}

func (q *question) generated() (message proto.Message, take func()) {
	generated := &verdictv1.CheckAccessRequest{}
	return generated, func() { *q = questionOf(generated) }
}

// questionOf is the question of a generated message. What is missing stays
// empty, for the decider to refuse.
func questionOf(message *verdictv1.CheckAccessRequest) question {
	q := question{request: authz.Request{Tenant: tenantOf(message.GetTenant())}}
	if q.refused = setParts(&q.request, message); q.refused != nil {
		return q
	}
	q.options.Explain = message.GetExplain()
	q.options.Consistency, q.refused = consistencyOf(message.GetConsistency())
	return q
}

// A streamQuestion is a StreamCheckAccessRequest: a question with a name.
type streamQuestion struct {
	id string
	question
}

const (
	streamID      = 1<<numberShift | delimitedField
	streamRequest = 2<<numberShift | delimitedField
)

func (q *streamQuestion) read(c *cursor) {
	for tag := c.next(); tag != 0; tag = c.next() {
		switch tag {
		case streamID:
			q.id = c.text()
		case streamRequest:
			outer := c.enter(0)
			q.question.read(c)
			c.leave(outer)
		default:
			c.giveUp()
		}
	}
	q.request.Tenant = tenantOf(q.request.Tenant)
}

func (q *streamQuestion) generated() (message proto.Message, take func()) {
	generated := &verdictv1.StreamCheckAccessRequest{}
	return generated, func() { *q = streamQuestion{generated.GetId(), questionOf(generated.GetRequest())} }
}

// The fields in which a CheckAccessRequest and a BatchCheckAccessRequest are
// alike.
const (
	requestTenant   = 1<<numberShift | delimitedField
	requestSubject  = 2<<numberShift | delimitedField
	requestAction   = 3<<numberShift | delimitedField
	requestResource = 4<<numberShift | delimitedField
	requestContext  = 5<<numberShift | delimitedField
)

// ofRequest reads one of those fields.
func (c *cursor) ofRequest(tag uint64, request *authz.Request) {
	switch tag {
	case requestTenant:
		request.Tenant = c.text()
	case requestSubject:
		request.Subject = c.subject()
	case requestAction:
		request.Action = c.action()
	case requestResource:
		request.Resource = c.resource()
	case requestContext:
		request.Context = c.object(1)
	default:
		c.giveUp()
	}
}

const (
	partName       = 1<<numberShift | delimitedField // the type of a subject or a resource
	partID         = 2<<numberShift | delimitedField
	partProperties = 3<<numberShift | delimitedField

	actionProperties = 2<<numberShift | delimitedField
)

func (c *cursor) subject() (s authz.Subject) {
	s.Type, s.ID, s.Properties = c.part()
	return s
}

func (c *cursor) resource() (r authz.Resource) {
	r.Type, r.ID, r.Properties = c.part()
	return r
}

// part reads a subject or a resource, whose messages are alike.
func (c *cursor) part() (typ, id string, properties authz.Object) {
	outer := c.enter(0)
	for tag := c.next(); tag != 0; tag = c.next() {
		switch tag {
		case partName:
			typ = c.text()
		case partID:
			id = c.text()
		case partProperties:
			properties = c.object(1)
		default:
			c.giveUp()
		}
	}
	c.leave(outer)
	return typ, id, properties
}

func (c *cursor) action() (a authz.Action) {
	outer := c.enter(0)
	for tag := c.next(); tag != 0; tag = c.next() {
		switch tag {
		case partName:
			a.Name = c.text()
		case actionProperties:
			a.Properties = c.object(1)
		default:
			c.giveUp()
		}
	}
	c.leave(outer)
	return a
}

const (
	consistencyLatest  = 1<<numberShift | delimitedField
	consistencyAtLeast = 2<<numberShift | varintField
	consistencyExact   = 3<<numberShift | varintField
)

// consistency reads what asks for one thing or for none.
func (c *cursor) consistency() (consistency authz.Consistency) {
	outer := c.enter(0)
	switch c.next() {
	case 0:
	case consistencyLatest:
		latest := c.enter(0)
		c.end()
		c.leave(latest)
	case consistencyAtLeast:
		consistency.AtLeast = c.varint()
	case consistencyExact:
		if consistency.Exact = c.varint(); consistency.Exact == 0 {
			c.giveUp()
		}
	default:
		c.giveUp()
	}
	c.end()
	c.leave(outer)
	return consistency
}
