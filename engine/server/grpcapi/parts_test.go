package grpcapi

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// TestPartsAreCountedBeforeTheyAreUnpacked sends messages whose parts are as
// small as can be, and so take the most memory for their bytes.
func TestPartsAreCountedBeforeTheyAreUnpacked(t *testing.T) {
	within := func(message []byte, fields ...protowire.Number) []byte {
		for _, field := range fields {
			message = protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), message)
		}
		return message
	}
	empty := func(field protowire.Number, n int) []byte { return bytes.Repeat(within(nil, field), n) }
	const items, changes, values, listValue, mapValue, structFields, requestContext, request = 6, 2, 1, 6, 2, 1, 5, 2
	// The context, its member, the member's value and the list are parts too.
	const around = 4
	list := func(n int) []byte {
		return within(empty(values, n), listValue, mapValue, structFields, requestContext)
	}
	tests := []struct {
		name, method string
		message      []byte
		want         codes.Code
		wantText     string
	}{
		{"items", verdictv1.AccessService_BatchCheckAccess_FullMethodName, empty(items, wire.MaxParts+1), codes.ResourceExhausted, "more than 1000000 parts"},
		{"as many items as may be", verdictv1.AccessService_BatchCheckAccess_FullMethodName, empty(items, wire.MaxParts), codes.InvalidArgument, "there are more than 1000:"},
		{"changes", verdictv1.DirectoryService_Write_FullMethodName, empty(changes, wire.MaxParts+1), codes.ResourceExhausted, "more than 1000000 parts"},
		{"values of a list", verdictv1.AccessService_CheckAccess_FullMethodName, list(wire.MaxParts - around + 1), codes.ResourceExhausted, "more than 1000000 parts"},
		{"as many values as may be", verdictv1.AccessService_CheckAccess_FullMethodName, list(wire.MaxParts - around), codes.InvalidArgument, "has no kind"},
		{"values on a stream", verdictv1.AccessService_StreamCheckAccess_FullMethodName, within(list(wire.MaxParts-around), request), codes.ResourceExhausted, "more than 1000000 parts"},
		{"nesting without end", verdictv1.AccessService_CheckAccess_FullMethodName, nestedContext(400_000), codes.InvalidArgument, "recursion"},
	}
	_, conn := start(t, Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := wantStatus(t, sendRaw(t, conn, tt.method, tt.message), tt.want)
			if !strings.Contains(st.Message(), tt.wantText) {
				t.Errorf("message = %q, want it to contain %q", st.Message(), tt.wantText)
			}
		})
	}
}
