package grpcapi

import (
	"strings"

	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// A direct is a message that reads itself from the wire where it is plain, and
// is otherwise taken from the generated message.
type direct interface {
	read(c *cursor)
	// generated is an empty message, and what takes it once it has been read.
	// That overwrites what read has left.
	generated() (message proto.Message, take func())
}

// maxDirectBytes bounds what is read directly: larger data have their parts
// counted before.
const maxDirectBytes = maxParts * minPartBytes

// lenientCodec is grpc's codec for protobuf, which also receives envelopes, and
// sends answers and what holds text that is no UTF-8.
type lenientCodec struct {
	encoding.CodecV2
}

func newLenientCodec() lenientCodec {
	return lenientCodec{encoding.GetCodecV2(encodingproto.Name)}
}

func (c lenientCodec) Unmarshal(data mem.BufferSlice, v any) error {
	e, is := v.(*envelope)
	if !is {
		return c.CodecV2.Unmarshal(data, v)
	}
	if message, is := e.message.(direct); is {
		e.malformed = c.readDirect(data, message)
	} else {
		e.malformed = c.readGenerated(data, e.message)
	}
	return nil
}

func (c lenientCodec) readDirect(data mem.BufferSlice, message direct) error {
	if data.Len() <= maxDirectBytes {
		at := cursor{rest: textOf(data)}
		if message.read(&at); !at.odd {
			return nil
		}
	}
	generated, take := message.generated()
	if err := c.readGenerated(data, generated); err != nil {
		return err
	}
	take()
	return nil
}

// textOf copies data, whose buffers are used again.
func textOf(data mem.BufferSlice) string {
	var text strings.Builder
	text.Grow(data.Len())
	for _, buffer := range data {
		text.Write(buffer.ReadOnlyData())
	}
	return text.String()
}

func (c lenientCodec) readGenerated(data mem.BufferSlice, message any) error {
	if err := checkParts(message, data); err != nil {
		return err
	}
	if err := c.CodecV2.Unmarshal(data, message); err != nil {
		return unreadable(message, data.Materialize(), err)
	}
	return nil
}

// Marshal sends an answer as it is, and a message with its text mended.
func (c lenientCodec) Marshal(v any) (mem.BufferSlice, error) {
	if ready, is := v.(answer); is {
		return mem.BufferSlice(ready), nil
	}
	data, err := c.CodecV2.Marshal(v)
	message, is := v.(proto.Message)
	if err == nil || !is {
		return data, err
	}
	return c.CodecV2.Marshal(mended(message))
}
