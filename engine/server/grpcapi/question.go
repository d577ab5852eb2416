package grpcapi

import (
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// The messages that ask for decisions are read from the wire straight into what
// the decider takes: with the generated messages between, reading would cost
// several times as much, see BenchmarkQuestion. Their strings are parts of one
// copy of the message, so that whoever keeps one for long keeps it all.
//
// A message that the cursor finds odd is read by the generated code. What that
// makes of it is right by definition; FuzzQuestion holds the two together.

// A cursor reads what the messages that ask for decisions have in common.
type cursor struct{ *wire.Cursor }

// A question is a CheckAccessRequest as the decider takes it.
type question struct {
	request authz.Request
	options pdp.DecideOptions
	// refused is why the decider need not be asked.
	refused error
}

// TenantName is the tenant that is asked.
func (q *question) TenantName() string { return q.request.Tenant }

const (
	checkConsistency = 6<<wire.NumberShift | wire.DelimitedField
	checkExplain     = 7<<wire.NumberShift | wire.VarintField
)

func (q *question) Read(at *wire.Cursor) {
	c := cursor{at}
	for tag := c.Next(); tag != 0; tag = c.Next() {
		switch tag {
		case checkConsistency:
			q.options.Consistency = c.consistency()
		case checkExplain:
			q.options.Explain = c.Boolean()
		default:
			c.ofRequest(tag, &q.request)
		}
	}
	q.request.Tenant = tenantOf(q.request.Tenant)
}

func (q *question) Generated() (message proto.Message, take func()) {
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
	bytes int // in which it came
}

// Measure implements wire.Measured.
func (q *streamQuestion) Measure(bytes int) { q.bytes = bytes }

const (
	streamID      = 1<<wire.NumberShift | wire.DelimitedField
	streamRequest = 2<<wire.NumberShift | wire.DelimitedField
)

func (q *streamQuestion) Read(at *wire.Cursor) {
	c := cursor{at}
	for tag := c.Next(); tag != 0; tag = c.Next() {
		switch tag {
		case streamID:
			q.id = c.Text()
		case streamRequest:
			outer := c.Enter(0)
			q.question.Read(at)
			c.Leave(outer)
		default:
			c.GiveUp()
		}
	}
	q.request.Tenant = tenantOf(q.request.Tenant)
}

func (q *streamQuestion) Generated() (message proto.Message, take func()) {
	generated := &verdictv1.StreamCheckAccessRequest{}
	return generated, func() { *q = streamQuestion{id: generated.GetId(), question: questionOf(generated.GetRequest())} }
}

// The fields in which a CheckAccessRequest and a BatchCheckAccessRequest are
// alike.
const (
	requestTenant   = 1<<wire.NumberShift | wire.DelimitedField
	requestSubject  = 2<<wire.NumberShift | wire.DelimitedField
	requestAction   = 3<<wire.NumberShift | wire.DelimitedField
	requestResource = 4<<wire.NumberShift | wire.DelimitedField
	requestContext  = 5<<wire.NumberShift | wire.DelimitedField
)

// ofRequest reads one of those fields.
func (c cursor) ofRequest(tag uint64, request *authz.Request) {
	switch tag {
	case requestTenant:
		request.Tenant = c.Text()
	case requestSubject:
		request.Subject = c.subject()
	case requestAction:
		request.Action = c.action()
	case requestResource:
		request.Resource = c.resource()
	case requestContext:
		request.Context = c.object(1)
	default:
		c.GiveUp()
	}
}

const (
	partName       = 1<<wire.NumberShift | wire.DelimitedField // the type of a subject or a resource
	partID         = 2<<wire.NumberShift | wire.DelimitedField
	partProperties = 3<<wire.NumberShift | wire.DelimitedField

	actionProperties = 2<<wire.NumberShift | wire.DelimitedField
)

func (c cursor) subject() (s authz.Subject) {
	s.Type, s.ID, s.Properties = c.part()
	return s
}

func (c cursor) resource() (r authz.Resource) {
	r.Type, r.ID, r.Properties = c.part()
	return r
}

// part reads a subject or a resource, whose messages are alike.
func (c cursor) part() (typ, id string, properties authz.Object) {
	outer := c.Enter(0)
	for tag := c.Next(); tag != 0; tag = c.Next() {
		switch tag {
		case partName:
			typ = c.Text()
		case partID:
			id = c.Text()
		case partProperties:
			properties = c.object(1)
		default:
			c.GiveUp()
		}
	}
	c.Leave(outer)
	return typ, id, properties
}

func (c cursor) action() (a authz.Action) {
	outer := c.Enter(0)
	for tag := c.Next(); tag != 0; tag = c.Next() {
		switch tag {
		case partName:
			a.Name = c.Text()
		case actionProperties:
			a.Properties = c.object(1)
		default:
			c.GiveUp()
		}
	}
	c.Leave(outer)
	return a
}

const (
	consistencyLatest  = 1<<wire.NumberShift | wire.DelimitedField
	consistencyAtLeast = 2<<wire.NumberShift | wire.VarintField
	consistencyExact   = 3<<wire.NumberShift | wire.VarintField
)

// consistency reads what asks for one thing or for none.
func (c cursor) consistency() (consistency authz.Consistency) {
	outer := c.Enter(0)
	switch c.Next() {
	case 0:
	case consistencyLatest:
		latest := c.Enter(0)
		c.End()
		c.Leave(latest)
	case consistencyAtLeast:
		consistency.AtLeast = c.Varint()
	case consistencyExact:
		if consistency.Exact = c.Varint(); consistency.Exact == 0 {
			c.GiveUp()
		}
	default:
		c.GiveUp()
	}
	c.End()
	c.Leave(outer)
	return consistency
}
