package grpcapi

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

func object(t testing.TB, members map[string]any) *structpb.Struct {
	t.Helper()
	message, err := structpb.NewStruct(members)
	if err != nil {
		t.Fatal(err)
	}
	return message
}

// plainRequest is a request that has everything.
func plainRequest(t testing.TB) *verdictv1.CheckAccessRequest {
	return &verdictv1.CheckAccessRequest{
		Tenant:   "blue",
		Subject:  &verdictv1.Subject{Type: "user", Id: "mina", Properties: object(t, map[string]any{"role": "nurse", "level": -0.5})},
		Action:   &verdictv1.Action{Name: "read", Properties: object(t, map[string]any{"soft": true, "hard": false})},
		Resource: &verdictv1.Resource{Type: "record", Id: "p-é", Properties: object(t, map[string]any{})},
		Context: object(t, map[string]any{
			"ip": "10.0.0.7", "none": nil, "": "", "list": []any{1, []any{}, map[string]any{"deep": []any{nil, "x", 1 << 40}}},
		}),
		Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: math.MaxUint64}},
		Explain:     true,
	}
}

// plainBatch is a batch that has everything.
func plainBatch(t testing.TB) *verdictv1.BatchCheckAccessRequest {
	r := plainRequest(t)
	return &verdictv1.BatchCheckAccessRequest{
		Tenant: r.Tenant, Subject: r.Subject, Action: r.Action, Resource: r.Resource, Context: r.Context,
		Items: []*verdictv1.BatchCheckAccessItem{
			{},
			{Subject: &verdictv1.Subject{Type: "service"}, Context: &structpb.Struct{}},
			{Action: r.Action, Resource: &verdictv1.Resource{Id: "p-2"}},
		},
		EvaluationsSemantic: verdictv1.EvaluationsSemantic_EVALUATIONS_SEMANTIC_DENY_ON_FIRST_DENY,
		Consistency:         &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{Exact: 7}},
		Explain:             true,
	}
}

func onWire(t testing.TB, message proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readBoth reads data directly and, as another, by the generated message. It
// reports whether the first found them odd, and what keeps the second from
// being read.
func readBoth(data []byte, direct, other wire.Message) (odd bool, malformed error) {
	at := wire.CursorOn(string(data))
	direct.Read(&at)
	message, take := other.Generated()
	if err := proto.Unmarshal(data, message); err != nil {
		return at.Odd(), err
	}
	take()
	return at.Odd(), nil
}

// sameQuestion compares questions. Functions that stop a batch are compared by
// what they stop at.
var sameQuestion = cmp.Options{
	cmp.AllowUnexported(question{}, streamQuestion{}, batchQuestion{}),
	cmpopts.EquateNaNs(),
	cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".refusals" }, cmp.Ignore()), // none, or none of the items
	cmp.Comparer(func(a, b func(authz.Decision) bool) bool {
		for _, d := range []authz.Decision{{}, {Allowed: true}} {
			if (a == nil) != (b == nil) || a != nil && a(d) != b(d) {
				return false
			}
		}
		return true
	}),
}

// Plain messages, as protobuf libraries write them, must be read directly: else
// nothing is gained.
func TestPlainMessagesAreReadDirectly(t *testing.T) {
	latest := plainRequest(t)
	latest.Consistency = &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Latest_{Latest: &verdictv1.Consistency_Latest{}}}
	exact := plainRequest(t)
	exact.Consistency = &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{Exact: 1}}
	anything := plainRequest(t)
	anything.Consistency = &verdictv1.Consistency{}
	deep := &verdictv1.CheckAccessRequest{Context: &structpb.Struct{}}
	for range pdp.MaxDepth - 1 {
		deep.Context = &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewStructValue(deep.Context)}}
	}
	tests := []struct {
		name          string
		message       proto.Message
		direct, other wire.Message
	}{
		{"everything", plainRequest(t), &question{}, &question{}},
		{"nothing", &verdictv1.CheckAccessRequest{}, &question{}, &question{}},
		{"the latest revision", latest, &question{}, &question{}},
		{"an exact revision", exact, &question{}, &question{}},
		{"no requirement", anything, &question{}, &question{}},
		{"as deep as may be", deep, &question{}, &question{}},
		{"a batch of everything", plainBatch(t), &batchQuestion{}, &batchQuestion{}},
		{"a batch of nothing", &verdictv1.BatchCheckAccessRequest{Items: []*verdictv1.BatchCheckAccessItem{{}}}, &batchQuestion{}, &batchQuestion{}},
		{"everything on a stream", &verdictv1.StreamCheckAccessRequest{Id: "1", Request: plainRequest(t)}, &streamQuestion{}, &streamQuestion{}},
		{"nothing on a stream", &verdictv1.StreamCheckAccessRequest{}, &streamQuestion{}, &streamQuestion{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			odd, malformed := readBoth(onWire(t, tt.message), tt.direct, tt.other)
			if odd || malformed != nil {
				t.Fatalf("odd: %v, malformed: %v", odd, malformed)
			}
			if diff := cmp.Diff(tt.other, tt.direct, sameQuestion); diff != "" {
				t.Errorf("generated (-) and direct (+) differ:\n%s", diff)
			}
		})
	}
}

func TestOddMessagesAreLeftToTheGeneratedCode(t *testing.T) {
	const tenant, subject, requestContext, consistency, explain, unknown = 1, 2, 5, 6, 7, 99
	text := func(field protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), value)
	}
	number := func(field protowire.Number, value uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, field, protowire.VarintType), value)
	}
	within := func(field protowire.Number, parts ...[]byte) []byte {
		var whole []byte
		for _, part := range parts {
			whole = append(whole, part...)
		}
		return text(field, string(whole))
	}
	mina, nurse := within(subject, text(1, "user"), text(2, "mina")), within(subject, within(3))
	member := func(parts ...[]byte) []byte { return within(requestContext, within(1, parts...)) }
	user := authz.Request{Tenant: "default", Subject: authz.Subject{Type: "user", ID: "mina"}}
	tests := []struct {
		name string
		data []byte
		want *question // nil where the message is malformed
	}{
		{"a subject in two parts is both", append(mina, nurse...), &question{request: authz.Request{
			Tenant: "default", Subject: authz.Subject{Type: "user", ID: "mina", Properties: authz.Object{}},
		}}},
		{"of two tenants the last", append(text(tenant, "a"), text(tenant, "b")...), &question{request: authz.Request{Tenant: "b"}}},
		{"a field of the future", append(number(unknown, 1), mina...), &question{request: user}},
		{"a field of another type", append(number(tenant, 1), mina...), &question{request: user}},
		{"an entry whose value is first", member(within(2, number(4, 1)), text(1, "a")), &question{request: authz.Request{
			Tenant: "default", Context: authz.Object{"a": true},
		}}},
		{"an entry without a name", member(within(2, number(4, 1))), &question{request: authz.Request{
			Tenant: "default", Context: authz.Object{"": true},
		}}},
		{"a value of two kinds has the last", member(text(1, "a"), within(2, number(4, 1), text(3, "x"))), &question{request: authz.Request{
			Tenant: "default", Context: authz.Object{"a": "x"},
		}}},
		{"two requirements, of which the last holds", within(consistency, number(2, 1), number(3, 2)), &question{
			request: authz.Request{Tenant: "default"}, options: pdp.DecideOptions{Consistency: authz.Consistency{Exact: 2}},
		}},
		{"an end within a tag", []byte{0x80}, nil},
		{"an end within a number", []byte{explain << 3, 0x80}, nil},
		{"an end within a text", []byte{tenant<<3 | 2, 2, 'a'}, nil},
		{"an end within a double", member(text(1, "a"), within(2, []byte{2<<3 | 1, 0, 0})), nil},
		{"a number of more than 64 bits", append([]byte{explain << 3}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2), nil},
		{"field 0", []byte{0, 0}, nil},
		{"a text that is no UTF-8", text(tenant, "\xff"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := wire.Envelope{Message: &question{}}
			if err := wire.NewCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(tt.data)}, &e); err != nil {
				t.Fatal(err)
			}
			if odd, _ := readBoth(tt.data, &question{}, &question{}); !odd {
				t.Error("the message is read directly")
			}
			if (e.Malformed == nil) != (tt.want != nil) {
				t.Fatalf("malformed: %v", e.Malformed)
			}
			if tt.want == nil {
				return
			}
			if diff := cmp.Diff(tt.want, e.Message, sameQuestion); diff != "" {
				t.Errorf("question (-want +got):\n%s", diff)
			}
		})
	}
}

// A method that is added to the service must be described here too, or it is
// answered as unimplemented.
func TestEveryMethodIsDescribed(t *testing.T) {
	names := func(service *grpc.ServiceDesc) (all []string) {
		for _, method := range service.Methods {
			all = append(all, method.MethodName)
		}
		for _, stream := range service.Streams {
			all = append(all, fmt.Sprint(stream.StreamName, stream.ServerStreams, stream.ClientStreams))
		}
		return all
	}
	if diff := cmp.Diff(names(&verdictv1.AccessService_ServiceDesc), names((&accessServer{}).description())); diff != "" {
		t.Errorf("methods (-generated +described):\n%s", diff)
	}
}

// What is read directly, the generated code reads as well, and alike.
func FuzzQuestion(f *testing.F) {
	f.Add(onWire(f, plainRequest(f)))
	f.Add(onWire(f, plainBatch(f)))
	f.Add(onWire(f, &verdictv1.StreamCheckAccessRequest{Id: "1", Request: plainRequest(f)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, pair := range [][2]wire.Message{
			{&question{}, &question{}}, {&batchQuestion{}, &batchQuestion{}}, {&streamQuestion{}, &streamQuestion{}},
		} {
			odd, malformed := readBoth(data, pair[0], pair[1])
			if odd {
				continue
			}
			if malformed != nil {
				t.Fatalf("%T was read directly, and is malformed: %v", pair[0], malformed)
			}
			if diff := cmp.Diff(pair[1], pair[0], sameQuestion, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("generated (-) and direct (+) differ:\n%s", diff)
			}
		}
	})
}

// BenchmarkQuestion reads a request with a context of three members: directly, and by the
// generated message.
func BenchmarkQuestion(b *testing.B) {
	data := onWire(b, &verdictv1.CheckAccessRequest{
		Tenant:   "customer",
		Subject:  &verdictv1.Subject{Type: "user", Id: "u000123"},
		Action:   &verdictv1.Action{Name: "read"},
		Resource: &verdictv1.Resource{Type: "ticket", Id: "t000123"},
		Context:  object(b, map[string]any{"risk": 12, "mfa": true, "ip": "10.0.0.7"}),
	})
	received := mem.BufferSlice{mem.SliceBuffer(data)}
	receive := func(message any) {
		e := wire.Envelope{Message: message}
		if err := wire.NewCodec().Unmarshal(received, &e); err != nil || e.Malformed != nil {
			b.Fatal(err, e.Malformed)
		}
	}
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var q question
			if receive(&q); q.refused != nil {
				b.Fatal(q.refused)
			}
		}
	})
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var message verdictv1.CheckAccessRequest
			receive(&message)
			if q := questionOf(&message); q.refused != nil {
				b.Fatal(q.refused)
			}
		}
	})
}
