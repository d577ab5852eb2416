package grpcapi

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
)

func TestPanicIsInternalAndTheNextCallIsServed(t *testing.T) {
	var panics atomic.Bool
	panics.Store(true)
	core, logs := observer.New(zap.ErrorLevel)
	_, conn := start(t, Options{
		Decider: decideFunc(func(context.Context, *authz.Request, pdp.DecideOptions) (authz.Decision, error) {
			if panics.Load() {
				panic("secret state")
			}
			return authz.Decision{Allowed: true}, nil
		}),
		Directory: panickingMover{newDirectory(t)},
		Logger:    zap.New(core),
	})
	access := verdictv1.NewAccessServiceClient(conn)

	t.Run("of one request", func(t *testing.T) {
		_, err := access.CheckAccess(t.Context(), &verdictv1.CheckAccessRequest{})
		checkPanic(t, wantStatus(t, err, codes.Internal).Message(), logs.TakeAll())
	})
	t.Run("of a stream", func(t *testing.T) {
		stream, err := verdictv1.NewDirectoryServiceClient(conn).Export(t.Context(), &verdictv1.ExportRequest{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = stream.Recv()
		checkPanic(t, wantStatus(t, err, codes.Internal).Message(), logs.TakeAll())
	})
	t.Run("of a request on a stream, which goes on", func(t *testing.T) {
		stream := newStream(t, conn)
		answer := stream.ask("1", &verdictv1.CheckAccessRequest{})
		if kind := answer.GetResponse().GetError().GetKind(); kind != verdictv1.ErrorKind_ERROR_KIND_INTERNAL {
			t.Fatalf("kind = %v, want internal", kind)
		}
		checkPanic(t, answer.GetResponse().GetError().GetMessage(), logs.TakeAll())
		panics.Store(false)
		if answer := stream.ask("2", &verdictv1.CheckAccessRequest{}); !answer.GetResponse().GetAllowed() {
			t.Errorf("the next request on the stream: %v", answer)
		}
	})
	t.Run("and the next call is served", func(t *testing.T) {
		if _, err := access.CheckAccess(t.Context(), &verdictv1.CheckAccessRequest{}); err != nil {
			t.Error(err)
		}
	})
}

// A panickingMover panics at an export.
type panickingMover struct{ Directory }

func (panickingMover) Export(context.Context, string, authz.Consistency, io.Writer) (uint64, error) {
	panic("secret state")
}

func checkPanic(t *testing.T, message string, entries []observer.LoggedEntry) {
	t.Helper()
	if strings.Contains(message, "secret") {
		t.Errorf("the caller was told %q", message)
	}
	if len(entries) != 1 {
		t.Fatalf("%d log entries, want 1", len(entries))
	}
	logged := entries[0].ContextMap()
	if logged["panic"] != "secret state" || !strings.Contains(fmt.Sprint(logged["stack"]), "server_test.go") {
		t.Errorf("the log holds neither the panic nor where it was: %v", logged)
	}
	if !strings.Contains(message, fmt.Sprint(logged["reference"])) {
		t.Errorf("the caller was told %q, the log has %q", message, logged["reference"])
	}
}

func TestMalformedMessagesAreTheCallersMistake(t *testing.T) {
	invalidUTF8 := func(fields ...protowire.Number) []byte {
		message := []byte("\xff")
		for i := len(fields) - 1; i >= 0; i-- {
			message = protowire.AppendBytes(protowire.AppendTag(nil, fields[i], protowire.BytesType), message)
		}
		return message
	}
	const properties, fields, value, stringValue = 3, 1, 2, 3
	tests := []struct {
		name, method string
		message      []byte
		wantText     string
	}{
		{"no protobuf", verdictv1.AccessService_CheckAccess_FullMethodName, []byte{0xff}, "cannot be read"},
		{"invalid UTF-8 in an id", verdictv1.AccessService_CheckAccess_FullMethodName, invalidUTF8(2, 2), "subject.id: is not valid UTF-8"},
		{"invalid UTF-8 in properties", verdictv1.AccessService_CheckAccess_FullMethodName, invalidUTF8(2, properties, fields, value, stringValue), "subject.properties.fields.value.string_value: is not valid UTF-8"},
		{"invalid UTF-8 in a write", verdictv1.DirectoryService_GetEntity_FullMethodName, invalidUTF8(2), "entity: is not valid UTF-8"},
		{"invalid UTF-8 to the health", healthpb.Health_Check_FullMethodName, invalidUTF8(1), "service: is not valid UTF-8"},
		{"nesting without end", verdictv1.AccessService_CheckAccess_FullMethodName, nestedContext(20_000), "recursion"},
		{"no protobuf on a stream", verdictv1.AccessService_StreamCheckAccess_FullMethodName, []byte{0xff}, "cannot be read"},
		{"invalid UTF-8 in an import", verdictv1.DirectoryService_Import_FullMethodName, invalidUTF8(1, 1), "options.tenant: is not valid UTF-8"},
		{"invalid UTF-8 to an export", verdictv1.DirectoryService_Export_FullMethodName, invalidUTF8(1), "tenant: is not valid UTF-8"},
	}
	_, conn := start(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := wantStatus(t, sendRaw(t, conn, tt.method, tt.message), codes.InvalidArgument)
			if !strings.Contains(st.Message(), tt.wantText) {
				t.Errorf("message = %q, want it to contain %q", st.Message(), tt.wantText)
			}
		})
	}
}

// sendRaw sends the bytes of one message, and returns what ends the call.
func sendRaw(t *testing.T, conn *grpc.ClientConn, method string, message []byte) error {
	t.Helper()
	// A stream with one message serves every kind of method.
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodecV2(rawCodec{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.SendMsg(message); err != nil {
		t.Fatal(err)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	var answer []byte
	return stream.RecvMsg(&answer)
}

// nestedContext is a CheckAccessRequest whose context has so many levels.
func nestedContext(levels int) []byte {
	const requestContext, structFields, entryValue, valueStruct = 5, 1, 2, 5
	// Written from the inside out, front to back, to stay linear.
	sizes := make([]int, 0, 3*levels)
	tags := make([]protowire.Number, 0, 3*levels)
	size := 0
	for range levels {
		for _, tag := range []protowire.Number{valueStruct, entryValue, structFields} {
			sizes, tags = append(sizes, size), append(tags, tag)
			size += protowire.SizeTag(tag) + protowire.SizeVarint(uint64(size))
		}
	}
	message := protowire.AppendTag(nil, requestContext, protowire.BytesType)
	message = protowire.AppendVarint(message, uint64(size))
	for i := len(sizes) - 1; i >= 0; i-- {
		message = protowire.AppendTag(message, tags[i], protowire.BytesType)
		message = protowire.AppendVarint(message, uint64(sizes[i]))
	}
	return message
}

// A rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

func TestMessageSizeAtTheLimit(t *testing.T) {
	const limit = 1 << 16
	_, conn := start(t, Options{MaxMessageBytes: limit})
	client := verdictv1.NewAccessServiceClient(conn)
	request := func(size int) *verdictv1.CheckAccessRequest {
		const overhead = 4 // the tag and the length of a string of three bytes' length
		return &verdictv1.CheckAccessRequest{Tenant: strings.Repeat("a", size-overhead)}
	}
	if _, err := client.CheckAccess(t.Context(), request(limit)); err != nil {
		t.Errorf("a message of the limit: %v", err)
	}
	_, err := client.CheckAccess(t.Context(), request(limit+1))
	wantStatus(t, err, codes.ResourceExhausted)
}

func TestMetadataOverTheLimitIsRefused(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewAccessServiceClient(conn)
	check := func(size int) error {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "note", strings.Repeat("x", size))
		_, err := client.CheckAccess(ctx, reading())
		return err
	}
	if err := check(defaultMaxHeaderBytes / 2); err != nil {
		t.Errorf("half of the limit: %v", err)
	}
	if err := check(defaultMaxHeaderBytes); err == nil { // with what gRPC adds, over the limit
		t.Error("the limit, and more: no error")
	}
}

// TestPeerThatFellSilentIsLeft connects like a client of HTTP/2 and then says
// nothing more, not even to a ping.
func TestPeerThatFellSilentIsLeft(t *testing.T) {
	listener := bufconn.Listen(1 << 20)
	startOn(t, Options{Silence: time.Second}, listener, "passthrough:///unused")
	conn, err := listener.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const preface, emptySettings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if _, err := io.WriteString(conn, preface+emptySettings); err != nil {
		t.Fatal(err)
	}
	heard, err := io.ReadAll(conn) // until the server closes
	const ping = "\x00\x00\x08\x06\x00"
	if err != nil || !strings.Contains(string(heard), ping) {
		t.Errorf("heard %q, %v, want a ping", heard, err)
	}
}

// TestIdleConnectionIsClosed connects like a client of HTTP/2 that makes no call.
func TestIdleConnectionIsClosed(t *testing.T) {
	listener := bufconn.Listen(1 << 20)
	startOn(t, Options{Idle: 100 * time.Millisecond}, listener, "passthrough:///unused")
	conn, err := listener.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const preface, emptySettings = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if _, err := io.WriteString(conn, preface+emptySettings); err != nil {
		t.Fatal(err)
	}
	const farewell = "\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x00" // GOAWAY, without an error
	var heard []byte
	for !strings.Contains(string(heard), farewell) {
		some := make([]byte, 1<<10)
		n, err := conn.Read(some)
		if heard = append(heard, some[:n]...); err != nil {
			t.Fatalf("heard %q, %v, want a farewell", heard, err)
		}
	}
}

func TestReflectionListsTheServices(t *testing.T) {
	server, conn := start(t, Options{})
	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, service := range answer.GetListServicesResponse().GetService() {
		listed = append(listed, service.GetName())
	}
	for _, service := range []string{
		"grpc.health.v1.Health", "verdict.v1.AccessService", "verdict.v1.DirectoryService", "verdict.v1.PolicyService",
		"grpc.reflection.v1alpha.ServerReflection", // older clients ask this one
	} {
		if !slices.Contains(listed, service) {
			t.Errorf("%s is not listed: %q", service, listed)
		}
	}
	if len(server.grpc.GetServiceInfo()) != len(listed) {
		t.Errorf("%d services are listed of %d", len(listed), len(server.grpc.GetServiceInfo()))
	}
}
