package wire

import (
	"strings"

	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

// A Message reads itself from the wire where it is plain, and is otherwise taken
// from the generated message.
type Message interface {
	// Read reads the message to its end, or until the cursor finds it odd.
	Read(c *Cursor)
	// Generated is an empty message, and what takes it once it has been read.
	// That overwrites what Read has left.
	Generated() (message proto.Message, take func())
}

// An Answer is a message that is on the wire already but for being sent.
type Answer mem.BufferSlice

// maxDirectBytes bounds what is read directly: larger data have their parts
// counted before.
const maxDirectBytes = MaxParts * minPartBytes

// A Codec is grpc's codec for protobuf, which also receives Messages, and sends
// Answers and what holds text that is no UTF-8.
type Codec struct {
	encoding.CodecV2
}

// NewCodec makes a Codec. What a server with it serves is to be registered by a
// Registrar, and its streams are to be a Stream.
func NewCodec() Codec { return Codec{encoding.GetCodecV2(encodingproto.Name)} }

// Unmarshal receives a message. It never fails on an envelope, which notes why it
// cannot be read.
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error {
	e, is := v.(*Envelope)
	if !is {
		return c.CodecV2.Unmarshal(data, v)
	}
	if e.Malformed = e.unpacking.begin(data.Len()); e.Malformed != nil {
		return nil
	}
	if message, is := e.Message.(Message); is {
		e.Malformed = c.readDirect(data, message)
	} else {
		e.Malformed = c.readGenerated(data, e.Message)
	}
	return nil
}

func (c Codec) readDirect(data mem.BufferSlice, message Message) error {
	if data.Len() <= maxDirectBytes {
		at := CursorOn(textOf(data))
		if message.Read(&at); !at.odd {
			return nil
		}
	}
	generated, take := message.Generated()
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

func (c Codec) readGenerated(data mem.BufferSlice, message any) error {
	if err := checkParts(message, data); err != nil {
		return err
	}
	if err := c.CodecV2.Unmarshal(data, message); err != nil {
		return unreadable(message, data.Materialize(), err)
	}
	return nil
}

// Marshal sends an answer as it is, and a message with its text mended.
func (c Codec) Marshal(v any) (mem.BufferSlice, error) {
	if ready, is := v.(Answer); is {
		return mem.BufferSlice(ready), nil
	}
	data, err := c.CodecV2.Marshal(v)
	message, is := v.(proto.Message)
	if err == nil || !is {
		return data, err
	}
	return c.CodecV2.Marshal(Mended(message))
}
