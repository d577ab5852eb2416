package extauthz

import (
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/verdictpdp/verdict/engine/mapping"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// readBoth reads a check directly and by the generated message, which must come to
// the same. It reports whether the first was left to the second, and what keeps that
// from being read.
func readBoth(t *testing.T, data []byte) (message mapping.Message, odd bool, malformed error) {
	t.Helper()
	var generated authv3.CheckRequest
	malformed = proto.Unmarshal(data, &generated)
	message = messageOf(&generated)
	at := wire.CursorOn(string(data))
	var direct question
	direct.Read(&at)
	if !at.Odd() && malformed == nil {
		if diff := cmp.Diff(message, direct.message, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("generated (-) and direct (+) differ:\n%s", diff)
		}
	}
	return message, at.Odd(), malformed
}

func onWire(tb testing.TB, request *authv3.CheckRequest) []byte {
	tb.Helper()
	data, err := proto.Marshal(request)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// fullCheck is a check with all that Envoy tells.
func fullCheck() *authv3.CheckRequest {
	request := check()
	a := request.Attributes
	a.Destination, a.Source.Service, a.Source.Labels, a.Source.Certificate = a.Source, "web", map[string]string{"a": "b"}, "PEM"
	a.ContextExtensions = map[string]string{TenantExtension: "shop", "other": "x"}
	a.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{"jwt": {Fields: map[string]*structpb.Value{"n": structpb.NewNumberValue(1)}}}}
	a.TlsSession = &authv3.AttributeContext_TLSSession{Sni: "records.example"}
	a.Request.Time = timestamppb.Now()
	a.Request.Http.Id, a.Request.Http.Size, a.Request.Http.Body, a.Request.Http.RawBody = "7", -1, "a=b", []byte{0xff}
	return request
}

// What Envoy sends must be read directly: else all of it would take several times as
// long, and nobody would notice.
func TestWhatIsReadDirectly(t *testing.T) {
	http := func(change func(*authv3.AttributeContext_HttpRequest)) *authv3.CheckRequest {
		request := check()
		change(request.Attributes.Request.Http)
		return request
	}
	pipe := check()
	pipe.Attributes.Source.Address.Address = &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/run/envoy"}}
	twice := onWire(t, check())
	tests := []struct {
		name string
		data []byte
		odd  bool
	}{
		{"a plain check", onWire(t, check()), false},
		{"a check of everything", onWire(t, fullCheck()), false},
		{"nothing", nil, false},
		{"no headers", onWire(t, http(func(h *authv3.AttributeContext_HttpRequest) { h.Headers = nil })), false},
		{"headers of HTTP/2 alone", onWire(t, http(func(h *authv3.AttributeContext_HttpRequest) { h.Headers = map[string]string{":path": "/"} })), false},
		{"a header without a value", onWire(t, http(func(h *authv3.AttributeContext_HttpRequest) { h.Headers = map[string]string{"a": ""} })), false},
		{"a header map", onWire(t, http(func(h *authv3.AttributeContext_HttpRequest) { h.HeaderMap = &corev3.HeaderMap{} })), true},
		{"a query beside the path", onWire(t, http(func(h *authv3.AttributeContext_HttpRequest) { h.Query = "a" })), true},
		{"a fragment beside the path", onWire(t, http(func(h *authv3.AttributeContext_HttpRequest) { h.Fragment = "a" })), true},
		{"the socket of a pipe", onWire(t, pipe), true},
		{"two messages in one", append(twice, twice...), true},
		{"what ends early", twice[:len(twice)-1], true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, odd, _ := readBoth(t, tt.data); odd != tt.odd {
				t.Errorf("left to the generated message: %v, want %v", odd, tt.odd)
			}
		})
	}
}

// BenchmarkQuestion reads a check with two headers: directly, and by the generated
// message.
func BenchmarkQuestion(b *testing.B) {
	received := mem.BufferSlice{mem.SliceBuffer(onWire(b, fullCheck()))}
	receive := func(message any) {
		e := wire.Envelope{Message: message}
		if err := wire.NewCodec().Unmarshal(received, &e); err != nil || e.Malformed != nil {
			b.Fatal(err, e.Malformed)
		}
	}
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			receive(&question{})
		}
	})
	b.Run("generated", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var message authv3.CheckRequest
			receive(&message)
			messageOf(&message)
		}
	})
}
