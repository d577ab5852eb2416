package extauthz

import (
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/engine/mapping"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// What Envoy tells is read from the wire straight into what the Answerer takes: the
// generated messages take several times as long, see BenchmarkQuestion. What Envoy
// tells besides, such as the destination and the body, is passed over unread.
//
// Of a message that is unusual, with headers in a HeaderMap or a query beside the
// path, the generated message is read. FuzzCheck holds the two together.

// A question is a CheckRequest, as far as it is asked for. The message's tenant is
// the one that the context extension names, until Server.handle has found the one that
// is meant.
type question struct{ message mapping.Message }

// TenantName is the tenant that is asked: it is known before the question is answered.
func (q *question) TenantName() string { return q.message.Tenant }

const (
	requestAttributes = 1<<wire.NumberShift | wire.DelimitedField

	attributesSource     = 1<<wire.NumberShift | wire.DelimitedField
	attributesRequest    = 4<<wire.NumberShift | wire.DelimitedField
	attributesExtensions = 10<<wire.NumberShift | wire.DelimitedField

	extensionsRepeat wire.FieldSet = 1 << 10

	peerAddress   = 1<<wire.NumberShift | wire.DelimitedField
	peerPrincipal = 4<<wire.NumberShift | wire.DelimitedField

	addressSocket = 1<<wire.NumberShift | wire.DelimitedField
	socketAddress = 2<<wire.NumberShift | wire.DelimitedField

	requestHTTP = 2<<wire.NumberShift | wire.DelimitedField

	httpMethod    = 2<<wire.NumberShift | wire.DelimitedField
	httpHeaders   = 3<<wire.NumberShift | wire.DelimitedField
	httpPath      = 4<<wire.NumberShift | wire.DelimitedField
	httpHost      = 5<<wire.NumberShift | wire.DelimitedField
	httpScheme    = 6<<wire.NumberShift | wire.DelimitedField
	httpQuery     = 7<<wire.NumberShift | wire.DelimitedField
	httpFragment  = 8<<wire.NumberShift | wire.DelimitedField
	httpHeaderMap = 13<<wire.NumberShift | wire.DelimitedField

	headersRepeat wire.FieldSet = 1 << 3

	entryKey   = 1<<wire.NumberShift | wire.DelimitedField
	entryValue = 2<<wire.NumberShift | wire.DelimitedField
)

// Read reads the message.
func (q *question) Read(c *wire.Cursor) {
	for tag := c.Next(); tag != 0; tag = c.Next() {
		if tag != requestAttributes {
			c.Skip(tag)
			continue
		}
		outer := c.Enter(extensionsRepeat)
		q.readAttributes(c)
		c.Leave(outer)
	}
}

func (q *question) readAttributes(c *wire.Cursor) {
	for tag := c.Next(); tag != 0; tag = c.Next() {
		switch tag {
		case attributesSource:
			outer := c.Enter(0)
			q.readSource(c)
			c.Leave(outer)
		case attributesRequest:
			outer := c.Enter(0)
			q.readRequest(c)
			c.Leave(outer)
		case attributesExtensions:
			if name, value := readEntry(c); name == TenantExtension {
				q.message.Tenant = value
			}
		default:
			c.Skip(tag)
		}
	}
}

func (q *question) readSource(c *wire.Cursor) {
	for tag := c.Next(); tag != 0; tag = c.Next() {
		switch tag {
		case peerAddress:
			outer := c.Enter(0)
			q.readAddress(c)
			c.Leave(outer)
		case peerPrincipal:
			q.message.Principal = c.Text()
		default:
			c.Skip(tag)
		}
	}
}

// readAddress reads an Address, which has one of several forms.
func (q *question) readAddress(c *wire.Cursor) {
	if tag := c.Next(); tag != addressSocket {
		if tag != 0 {
			c.GiveUp()
		}
		return
	}
	outer := c.Enter(0)
	for tag := c.Next(); tag != 0; tag = c.Next() {
		if tag == socketAddress {
			q.message.Address = c.Text()
		} else {
			c.Skip(tag)
		}
	}
	c.Leave(outer)
	c.End()
}

func (q *question) readRequest(c *wire.Cursor) {
	for tag := c.Next(); tag != 0; tag = c.Next() {
		if tag != requestHTTP {
			c.Skip(tag)
			continue
		}
		outer := c.Enter(headersRepeat)
		q.readHTTP(c)
		c.Leave(outer)
	}
}

func (q *question) readHTTP(c *wire.Cursor) {
	m := &q.message
	for tag := c.Next(); tag != 0; tag = c.Next() {
		switch tag {
		case httpMethod:
			m.Method = c.Text()
		case httpHeaders:
			if m.Headers == nil {
				m.Headers = make(map[string]string, 1+c.Count(httpHeaders))
			}
			if name, value := readEntry(c); !strings.HasPrefix(name, ":") {
				m.Headers[name] = value
			}
		case httpPath:
			m.Target = c.Text()
		case httpHost:
			m.Host = c.Text()
		case httpScheme:
			m.Scheme = c.Text()
		case httpQuery, httpFragment, httpHeaderMap:
			c.GiveUp()
		default:
			c.Skip(tag)
		}
	}
}

// readEntry reads an entry of a map of texts.
func readEntry(c *wire.Cursor) (key, value string) {
	outer := c.Enter(0)
	for tag := c.Next(); tag != 0; tag = c.Next() {
		switch tag {
		case entryKey:
			key = c.Text()
		case entryValue:
			value = c.Text()
		default:
			c.GiveUp()
		}
	}
	c.Leave(outer)
	return key, value
}

// Generated takes the question from the generated message.
func (q *question) Generated() (message proto.Message, take func()) {
	generated := &authv3.CheckRequest{}
	return generated, func() { *q = question{messageOf(generated)} }
}

// messageOf is what Envoy tells of a request. What is about no HTTP request has no
// method, and so is refused.
func messageOf(request *authv3.CheckRequest) mapping.Message {
	attributes := request.GetAttributes()
	http := attributes.GetRequest().GetHttp()
	source := attributes.GetSource()
	return mapping.Message{
		Tenant:    attributes.GetContextExtensions()[TenantExtension],
		Method:    http.GetMethod(),
		Scheme:    http.GetScheme(),
		Host:      http.GetHost(),
		Target:    targetOf(http),
		Headers:   headersOf(http),
		Address:   source.GetAddress().GetSocketAddress().GetAddress(),
		Principal: source.GetPrincipal(),
	}
}

// targetOf is a request's target. Envoy tells the query with the path, and a fragment
// never; whoever tells them apart must be understood to have told them.
func targetOf(http *authv3.AttributeContext_HttpRequest) string {
	target := http.GetPath()
	if query := http.GetQuery(); query != "" {
		if strings.Contains(target, "?") {
			return "" // which of the two is forwarded is not known, so that none is told
		}
		target += "?" + query
	}
	if fragment := http.GetFragment(); fragment != "" {
		target += "#" + fragment
	}
	return target
}

// headersOf are a request's headers, of which those of HTTP/2 that begin with a
// colon are told elsewhere. Envoy sends one of the two forms.
func headersOf(http *authv3.AttributeContext_HttpRequest) map[string]string {
	headers := http.GetHeaders()
	for name := range headers {
		if strings.HasPrefix(name, ":") {
			delete(headers, name)
		}
	}
	raw := http.GetHeaderMap().GetHeaders()
	if len(raw) == 0 {
		return headers
	}
	lines := make(map[string][]string, len(raw))
	for name, value := range headers {
		lines[name] = []string{value}
	}
	for _, header := range raw {
		name := strings.ToLower(header.GetKey())
		if strings.HasPrefix(name, ":") {
			continue
		}
		value := header.GetValue()
		if len(header.GetRawValue()) > 0 {
			value = string(header.GetRawValue())
		}
		lines[name] = append(lines[name], value)
	}
	joined := make(map[string]string, len(lines))
	for name, values := range lines {
		joined[name] = mapping.JoinHeader(name, values)
	}
	return joined
}
