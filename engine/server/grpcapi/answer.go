package grpcapi

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// Decisions are written to the wire as they are, without the generated messages
// between: see BenchmarkAnswer. Those with an error or an explanation are few,
// and are left to the generated code.

const (
	responseAllowed           = 1<<wire.NumberShift | wire.VarintField
	responseReasons           = 2<<wire.NumberShift | wire.DelimitedField
	responseObligations       = 3<<wire.NumberShift | wire.DelimitedField
	responseDecisionID        = 4<<wire.NumberShift | wire.DelimitedField
	responsePolicyRevision    = 5<<wire.NumberShift | wire.DelimitedField
	responseDirectoryRevision = 6<<wire.NumberShift | wire.VarintField
)

// appendDecision appends a decision as a CheckAccessResponse, as responseOf
// makes it.
func appendDecision(data []byte, d *authz.Decision) ([]byte, error) {
	if d.Err != nil || d.Explanation != nil {
		response, err := responseOf(*d)
		if err != nil {
			return data, err
		}
		return appendGenerated(data, response)
	}
	if d.Allowed {
		data = append(data, responseAllowed, 1)
	}
	for _, reason := range d.Reasons {
		data = appendText(data, responseReasons, reason)
	}
	if d.Obligations != nil {
		var err error
		if data, err = appendObject(data, responseObligations, d.Obligations); err != nil {
			return data, fmt.Errorf("obligations of decision %s: %w", d.ID, err)
		}
	}
	if d.ID != "" {
		data = appendText(data, responseDecisionID, d.ID)
	}
	if d.PolicyRevision != "" {
		data = appendText(data, responsePolicyRevision, d.PolicyRevision)
	}
	if d.DirectoryRevision != 0 {
		data = binary.AppendUvarint(append(data, responseDirectoryRevision), d.DirectoryRevision)
	}
	return data, nil
}

// roomFor is about how many bytes a decision takes on the wire.
func roomFor(d *authz.Decision) int {
	const numbers, text, obligation = 16, 4, 64
	room := numbers + len(d.ID) + text + len(d.PolicyRevision) + text + len(d.Obligations)*obligation
	for _, reason := range d.Reasons {
		room += len(reason) + text
	}
	return room
}

// appendGenerated appends a generated message. Text that is no UTF-8 is mended.
func appendGenerated(data []byte, message proto.Message) ([]byte, error) {
	whole, err := proto.MarshalOptions{}.MarshalAppend(data, message)
	if err == nil {
		return whole, nil
	}
	return proto.MarshalOptions{}.MarshalAppend(data, wire.Mended(message))
}

// begin opens a message within another, and finish closes it. A tag here takes one
// byte.
func begin(data []byte, tag byte) (_ []byte, start int) {
	data = append(data, tag, 0)
	return data, len(data)
}

func finish(data []byte, start int) []byte {
	size := len(data) - start
	if size < 0x80 {
		data[start-1] = byte(size)
		return data
	}
	more := protowire.SizeVarint(uint64(size)) - 1
	data = append(data, make([]byte, more)...)
	copy(data[start+more:], data[start:start+size])
	binary.PutUvarint(data[start-1:], uint64(size))
	return data
}

// appendText appends a string, with U+FFFD in the place of what is not valid
// UTF-8.
func appendText(data []byte, tag byte, text string) []byte {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, string(utf8.RuneError))
	}
	data = binary.AppendUvarint(append(data, tag), uint64(len(text)))
	return append(data, text...)
}

// appendObject appends a Struct, as structOf makes it.
func appendObject(data []byte, tag byte, object authz.Object) (_ []byte, err error) {
	data, start := begin(data, tag)
	for name, member := range object {
		var entry int
		data, entry = begin(data, structFields)
		data = appendText(data, entryName, name)
		if data, err = appendValue(data, entryValue, member); err != nil {
			return data, err
		}
		data = finish(data, entry)
	}
	return finish(data, start), nil
}

// appendValue appends a Value, as valueOf makes it.
func appendValue(data []byte, tag byte, value any) (_ []byte, err error) {
	data, start := begin(data, tag)
	switch value := value.(type) {
	case nil:
		data = append(data, valueNull, 0)
	case bool:
		var bit byte
		if value {
			bit = 1
		}
		data = append(data, valueBool, bit)
	case string:
		data = appendText(data, valueString, value)
	case float64:
		data = appendDouble(data, value)
	case json.Number:
		if number, exact := doubleOf(string(value)); exact {
			data = appendDouble(data, number)
		} else {
			data = appendText(data, valueString, string(value))
		}
	case []any:
		var list int
		data, list = begin(data, valueList)
		for _, item := range value {
			if data, err = appendValue(data, listValues, item); err != nil {
				return data, err
			}
		}
		data = finish(data, list)
	case authz.Object:
		if data, err = appendObject(data, valueStruct, value); err != nil {
			return data, err
		}
	default:
		return data, unknownValue(value)
	}
	return finish(data, start), nil
}

func appendDouble(data []byte, number float64) []byte {
	return binary.LittleEndian.AppendUint64(append(data, valueNumber), math.Float64bits(number))
}
