package main

import (
	"fmt"
	"io"

	"google.golang.org/protobuf/types/known/structpb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// The tenants that the servers are asked for.
const (
	customer = "customer" // the shipped bundle
	constant = "constant" // allow := true
	proxied  = "proxied"  // what Envoy asks about
)

const constantPolicy = "package authz\n\nallow := true\n"

// customers is how many people are in the directory. Each is asked about in
// turn, so that no decision finds everything in the processor's caches.
const customers = 1_000

// writeDirectory writes a small directory for the customer bundle, as lines of
// the import format.
func writeDirectory(out io.Writer) {
	fmt.Fprintln(out, `{"entity":{"type":"plan","id":"plus","attributes":{"grace_days":7,"api":{"requests_per_minute":60,"requests_per_day":1000},"streaming":{"tier":2,"devices":2}}}}`)
	fmt.Fprintln(out, `{"entity":{"type":"api","id":"orders"}}`)
	fmt.Fprintln(out, `{"entity":{"type":"title","id":"pond","attributes":{"name":"Tales from the Pond","tier":1,"min_age":0}}}`)
	for i := range customers {
		fmt.Fprintf(out, `{"entity":{"type":"user","id":"u%06d","attributes":{"name":"Customer %d","state":"active","timezone":"Europe/Lisbon","subscription":{"plan":"plan:plus","paid_until":"2095-01-01T00:00:00Z"}}}}`+"\n", i, i)
		fmt.Fprintf(out, `{"entity":{"type":"ticket","id":"t%06d","attributes":{"owner":"user:u%06d","title":"Invoice is wrong"}}}`+"\n", i, i)
		fmt.Fprintf(out, `{"entity":{"type":"viewer","id":"u%06d","attributes":{"account":"user:u%06d","kids":false}}}`+"\n", i, i)
	}
}

// request is the i-th of a stream of requests of several kinds: with reasons,
// with obligations, with a context and with none of them. The third of each
// five is a deny.
func request(tenant string, i int) *verdictv1.CheckAccessRequest {
	who, next := fmt.Sprintf("u%06d", i%customers), fmt.Sprintf("t%06d", (i+1)%customers)
	context := map[string]any{"risk": 12, "mfa": true, "ip": "10.0.0.7"}
	ask := func(subject, action, resource, id string, context map[string]any) *verdictv1.CheckAccessRequest {
		message, err := structpb.NewStruct(context)
		if err != nil {
			panic(err) // the contexts here are all plain
		}
		return &verdictv1.CheckAccessRequest{
			Tenant:   tenant,
			Subject:  &verdictv1.Subject{Type: subject, Id: who},
			Action:   &verdictv1.Action{Name: action},
			Resource: &verdictv1.Resource{Type: resource, Id: id},
			Context:  message,
		}
	}
	switch i % 5 {
	case 0:
		return ask("user", "read", "user", who, context)
	case 1:
		return ask("user", "read", "ticket", "t"+who[1:], nil)
	case 2:
		return ask("user", "read", "ticket", next, context)
	case 3:
		return ask("user", "call", "api", "orders", nil)
	default:
		return ask("viewer", "stream", "title", "pond", map[string]any{"active_devices": i % 2})
	}
}

// wantAllowed is whether the customer bundle allows the i-th request.
func wantAllowed(i int) bool { return i%5 != 2 }

// batchSize is how many requests a batch has.
const batchSize = 100

// batch is the n-th batch of requests.
func batch(tenant string, n int) *verdictv1.BatchCheckAccessRequest {
	message := &verdictv1.BatchCheckAccessRequest{Tenant: tenant}
	for i := range batchSize {
		r := request(tenant, n*batchSize+i)
		message.Items = append(message.Items, &verdictv1.BatchCheckAccessItem{
			Subject: r.Subject, Action: r.Action, Resource: r.Resource, Context: r.Context,
		})
	}
	return message
}
