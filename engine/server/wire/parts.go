package wire

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/verdictpdp/verdict/api/authz"
)

const (
	// MaxParts is how many messages a message may hold, items, changes, members
	// and values alike. Unpacked, each takes 40 times the bytes that an empty
	// one has on the wire, so these are counted before.
	MaxParts = 1_000_000
	// minPartBytes is what a part takes on the wire at least: its tag and its
	// length.
	minPartBytes = 2
)

// checkParts refuses data with too many parts to be unpacked as such a message.
// Only large data is looked at.
func checkParts(message any, data mem.BufferSlice) error {
	m, is := message.(proto.Message)
	if !is || data.Len() <= MaxParts*minPartBytes {
		return nil
	}
	if countParts(m.ProtoReflect().Descriptor(), data.Materialize(), MaxParts, 0) < 0 {
		return authz.Exceeded(authz.MessageLimit, "the message has more than %d parts: send several", MaxParts)
	}
	return nil
}

// countParts takes the messages in the data from those that are left, and
// returns how many are left then; less than none when there were too few. What
// is malformed is left to protobuf to refuse.
func countParts(message protoreflect.MessageDescriptor, data []byte, left, depth int) int {
	if depth > protowire.DefaultRecursionLimit {
		return left
	}
	fields := message.Fields()
	for len(data) > 0 && left >= 0 {
		number, wireType, n := protowire.ConsumeTag(data)
		if n < 0 {
			return left
		}
		data = data[n:]
		if n = protowire.ConsumeFieldValue(number, wireType, data); n < 0 {
			return left
		}
		if field := fields.ByNumber(number); field != nil && field.Message() != nil && wireType == protowire.BytesType {
			part, _ := protowire.ConsumeBytes(data)
			left = countParts(field.Message(), part, left-1, depth+1)
		}
		data = data[n:]
	}
	return left
}
