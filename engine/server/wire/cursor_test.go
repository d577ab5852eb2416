package wire

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is a field on the wire.
func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

func number(number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), value)
}

func join(parts ...[]byte) string {
	var text strings.Builder
	for _, part := range parts {
		text.Write(part)
	}
	return text.String()
}

const (
	text   = 1<<NumberShift | DelimitedField
	count  = 2<<NumberShift | VarintField
	size   = 3<<NumberShift | DoubleField
	inner  = 4<<NumberShift | DelimitedField
	beyond = 63<<NumberShift | VarintField
)

func TestCursorReadsWhatLibrariesWrite(t *testing.T) {
	double := protowire.AppendFixed64(protowire.AppendTag(nil, 3, protowire.Fixed64Type), math.Float64bits(0.5))
	c := CursorOn(join(field(1, []byte("a")), number(2, math.MaxUint64), double, field(4, []byte(join(field(1, []byte("b"))))), number(63, 1)))
	if got := c.Count(text); got != 1 {
		t.Errorf("%d fields with the first tag, want 1: those within a message are not the message's", got)
	}
	if c.Next() != text || c.Text() != "a" {
		t.Error("the text is another")
	}
	if c.Next() != count || c.Varint() != math.MaxUint64 {
		t.Error("the number is another")
	}
	if c.Next() != size || c.Double() != 0.5 {
		t.Error("the double is another")
	}
	if c.Next() != inner {
		t.Error("the message is missing")
	}
	outer := c.Enter(0)
	if c.Next() != text || c.Text() != "b" || c.Next() != 0 {
		t.Error("the message's text is another")
	}
	c.Leave(outer)
	if c.Next() != beyond || !c.Boolean() || c.Next() != 0 || c.Odd() {
		t.Error("the last field is missing")
	}
}

func TestCursorGivesUp(t *testing.T) {
	tests := []struct {
		name, message string
	}{
		{"a field twice", join(field(1, nil), field(1, nil))},
		{"field 0", "\x00\x00"},
		{"field 64", join(number(64, 1))},
		{"a group", "\x0b\x0c"},
		{"a number of 32 bits", "\x0d\x00\x00\x00\x00"},
		{"a tag that ends early", "\x80"},
		{"a number of more than 64 bits", "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"},
		{"a number of eleven bytes", "\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"},
		{"a length beyond the end", "\x0a\x02a"},
		{"a length without end", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		{"a double that ends early", "\x19\x00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := CursorOn(tt.message)
			for tag := c.Next(); tag != 0; tag = c.Next() {
				c.Skip(tag)
			}
			if !c.Odd() {
				t.Error("the message is taken for one that libraries write")
			}
			if c.Next() != 0 || c.Text() != "" || c.Varint() != 0 || c.Double() != 0 || !c.Odd() {
				t.Error("something is read after the end")
			}
		})
	}
}

func TestCursorReadsTextOfUTF8Alone(t *testing.T) {
	c := CursorOn(join(field(1, []byte("\xff"))))
	if c.Next(); c.Text() != "" || !c.Odd() {
		t.Error("text that is no UTF-8 is read")
	}
}

func TestFieldsThatRepeat(t *testing.T) {
	c := CursorOn(join(field(4, nil), field(1, nil), field(4, nil)))
	c.Repeat(1 << 4)
	if got := c.Count(inner); got != 2 {
		t.Errorf("%d fields are counted, want 2", got)
	}
	for tag := c.Next(); tag != 0; tag = c.Next() {
		c.Skip(tag)
	}
	if c.Odd() {
		t.Error("a field that may repeat makes the message odd")
	}
}

// A message that is odd inside is odd as a whole.
func TestOddWithin(t *testing.T) {
	c := CursorOn(join(field(4, []byte("\x00")), field(1, []byte("a"))))
	c.Next()
	outer := c.Enter(0)
	c.Next()
	c.Leave(outer)
	if !c.Odd() || c.Next() != 0 {
		t.Error("it is read on")
	}
}
