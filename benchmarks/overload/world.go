package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// The tenants. Both have the shipped customer bundle on the same people, so that a
// difference between them is one of how they are served.
const (
	customer  = "customer"
	workforce = "workforce"
)

// people is how many are in each directory.
const people = 1_000

// writeDirectory writes them as lines of the import format.
func writeDirectory(out io.Writer) {
	fmt.Fprintln(out, `{"entity":{"type":"plan","id":"plus","attributes":{"grace_days":7,"api":{"requests_per_minute":60,"requests_per_day":1000},"streaming":{"tier":2,"devices":2}}}}`)
	fmt.Fprintln(out, `{"entity":{"type":"api","id":"orders"}}`)
	for i := range people {
		fmt.Fprintf(out, `{"entity":{"type":"user","id":"u%06d","attributes":{"name":"Customer %d","state":"active","timezone":"Europe/Lisbon","subscription":{"plan":"plan:plus","paid_until":"2095-01-01T00:00:00Z"}}}}`+"\n", i, i)
		fmt.Fprintf(out, `{"entity":{"type":"ticket","id":"t%06d","attributes":{"owner":"user:u%06d","title":"Invoice is wrong"}}}`+"\n", i, i)
	}
}

// writeCrowd writes users that nobody asks about, each with a grant.
func writeCrowd(out io.Writer, crowd int) error {
	lines := bufio.NewWriterSize(out, 1<<20)
	for i := range crowd {
		fmt.Fprintf(lines, `{"entity":{"type":"user","id":"u%07d","attributes":{"name":"Customer %d","state":"active","timezone":"Europe/Lisbon","subscription":{"plan":"plan:plus","paid_until":"2095-01-01T00:00:00Z"}},"parents":["group:g%04d"]}}`+"\n", i, i, i%5_000)
		fmt.Fprintf(lines, `{"grant":{"id":"g%07d","subject":"user:u%07d","role":"role:customer","scope":"group:g%04d"}}`+"\n", i, i, i%5_000)
	}
	return lines.Flush()
}

// A message is a call: its header, the body with gRPC's prefix, and the answer to
// expect.
type message struct {
	header  []hpack.HeaderField
	body    []byte
	allowed bool
}

// checks are single checks, of which the last of each four is a deny.
func checks(tenant string) ([]message, error) {
	var all []message
	for i := range 4 * people {
		request := check(tenant, i)
		m, err := newMessage(verdictv1.AccessService_CheckAccess_FullMethodName, request)
		if err != nil {
			return nil, err
		}
		m.allowed = allowed(i)
		all = append(all, m)
	}
	return all, nil
}

func allowed(i int) bool { return i%4 != 3 }

// check is the i-th request.
func check(tenant string, i int) *verdictv1.CheckAccessRequest {
	who, ticket, other := fmt.Sprintf("u%06d", i%people), fmt.Sprintf("t%06d", i%people), fmt.Sprintf("t%06d", (i+1)%people)
	context := &structpb.Struct{Fields: map[string]*structpb.Value{
		"risk": structpb.NewNumberValue(12), "mfa": structpb.NewBoolValue(true), "ip": structpb.NewStringValue("10.0.0.7"),
	}}
	ask := func(action, resource, id string) *verdictv1.CheckAccessRequest {
		return &verdictv1.CheckAccessRequest{
			Tenant: tenant, Context: context,
			Subject: &verdictv1.Subject{Type: "user", Id: who}, Action: &verdictv1.Action{Name: action},
			Resource: &verdictv1.Resource{Type: resource, Id: id},
		}
	}
	switch i % 4 {
	case 0:
		return ask("read", "user", who)
	case 1:
		return ask("read", "ticket", ticket)
	case 2:
		return ask("call", "api", "orders")
	default:
		return ask("read", "ticket", other)
	}
}

// batches are of so many of the checks.
func batches(tenant string, size int) ([]message, error) {
	var all []message
	for n := range people / size {
		request := &verdictv1.BatchCheckAccessRequest{Tenant: tenant}
		for i := range size {
			r := check(tenant, n*size+i)
			request.Items = append(request.Items, &verdictv1.BatchCheckAccessItem{
				Subject: r.GetSubject(), Action: r.GetAction(), Resource: r.GetResource(), Context: r.GetContext(),
			})
		}
		m, err := newMessage(verdictv1.AccessService_BatchCheckAccess_FullMethodName, request)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func newMessage(method string, request proto.Message) (message, error) {
	body := make([]byte, 5)
	body, err := proto.MarshalOptions{}.MarshalAppend(body, request)
	if err != nil {
		return message{}, err
	}
	binary.BigEndian.PutUint32(body[1:], uint32(len(body)-5))
	return message{body: body, header: []hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: method},
		{Name: ":authority", Value: "verdict"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}}, nil
}
