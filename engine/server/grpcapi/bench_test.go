package grpcapi

import (
	"net"
	"testing"

	"google.golang.org/protobuf/types/known/structpb"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// BenchmarkCheckAccess is the cost of the wire and the conversion: the decision
// behind them is free. Callers are many on one connection.
func BenchmarkCheckAccess(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	_, conn := startOn(b, Options{}, listener, listener.Addr().String())
	client := verdictv1.NewAccessServiceClient(conn)
	request := &verdictv1.CheckAccessRequest{
		Subject:  &verdictv1.Subject{Type: "user", Id: "mina"},
		Action:   &verdictv1.Action{Name: "read"},
		Resource: &verdictv1.Resource{Type: "patient_record", Id: "p-102"},
		Context:  &structpb.Struct{Fields: map[string]*structpb.Value{"mfa": structpb.NewBoolValue(true), "ip": structpb.NewStringValue("10.0.0.7")}},
	}
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.CheckAccess(b.Context(), request); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
