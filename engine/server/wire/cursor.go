package wire

import (
	"math"
	"unicode/utf8"
)

// A Cursor reads a message on the wire, field by field, and hands out parts of
// it without copying them.
//
// It takes what every protobuf library writes. Of anything else, be it malformed
// or merely unusual, it only says that it is odd: then the message is read
// again by the generated code, which knows what it means or how to refuse it.
type Cursor struct {
	rest string // what is still to be read
	// seen and repeatable are sets of field numbers: those that have been, and
	// those that may be more than once.
	seen, repeatable FieldSet
	odd              bool
}

// CursorOn is a cursor at the beginning of a message.
func CursorOn(message string) Cursor { return Cursor{rest: message} }

// Repeat says which fields of the message may come more than once.
func (c *Cursor) Repeat(fields FieldSet) { c.repeatable = fields }

// Odd reports whether the message is.
func (c *Cursor) Odd() bool { return c.odd }

// The wire types of fields, as the low bits of their tags
// (https://protobuf.dev/programming-guides/encoding/#structure).
const (
	VarintField    = 0
	DoubleField    = 1
	DelimitedField = 2

	NumberShift = 3
)

// A FieldSet is a set of field numbers from 1 to 63.
type FieldSet uint64

// Next is the tag of the next field, or 0 at the end of the message or when it
// is odd. The field's value must be read next.
func (c *Cursor) Next() (tag uint64) {
	if c.rest == "" {
		return 0
	}
	tag = c.Varint()
	number := tag >> NumberShift
	if number == 0 || number > 63 || c.seen&^c.repeatable>>number&1 != 0 {
		return c.GiveUp()
	}
	c.seen |= 1 << number
	return tag
}

// Count is how many fields with a tag are still to come, none if the message
// turns out odd on the way.
func (c *Cursor) Count(tag uint64) int {
	ahead := *c
	n := 0
	for next := ahead.Next(); next != 0; next = ahead.Next() {
		if next == tag {
			n++
		}
		ahead.Skip(next)
	}
	if ahead.odd {
		return 0
	}
	return n
}

// Skip passes over the value of a field.
func (c *Cursor) Skip(tag uint64) {
	switch tag & (1<<NumberShift - 1) {
	case VarintField:
		c.Varint()
	case DoubleField:
		c.Double()
	case DelimitedField:
		c.Delimited()
	default:
		c.GiveUp()
	}
}

// GiveUp finds the message odd, and ends it.
func (c *Cursor) GiveUp() uint64 {
	c.rest, c.odd = "", true
	return 0
}

// End ends a message that has no more fields.
func (c *Cursor) End() {
	if c.rest != "" {
		c.GiveUp()
	}
}

// Varint is a number of up to 64 bits.
func (c *Cursor) Varint() uint64 {
	var value uint64
	for i := range min(len(c.rest), 10) {
		b := c.rest[i]
		value |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if i == 9 && b > 1 { // beyond 64 bits
				break
			}
			c.rest = c.rest[i+1:]
			return value
		}
	}
	return c.GiveUp()
}

// Boolean is a truth value.
func (c *Cursor) Boolean() bool { return c.Varint() != 0 }

// Double is a number of 64 bits with a point.
func (c *Cursor) Double() float64 {
	const size = 8
	if len(c.rest) < size {
		c.GiveUp()
		return 0
	}
	var bits uint64
	for i := range size {
		bits |= uint64(c.rest[i]) << (8 * i)
	}
	c.rest = c.rest[size:]
	return math.Float64frombits(bits)
}

// Delimited is a value that says its length before.
func (c *Cursor) Delimited() string {
	size := c.Varint()
	if size > uint64(len(c.rest)) {
		c.GiveUp()
		return ""
	}
	value := c.rest[:size]
	c.rest = c.rest[size:]
	return value
}

// Text is a string, which is UTF-8.
func (c *Cursor) Text() string {
	text := c.Delimited()
	if !utf8.ValidString(text) {
		c.GiveUp()
		return ""
	}
	return text
}

// Enter goes into a message within this one. What it returns, Leave takes to go
// on behind it.
func (c *Cursor) Enter(repeatable FieldSet) (outer Cursor) {
	inner := c.Delimited()
	outer = *c
	c.rest, c.seen, c.repeatable = inner, 0, repeatable
	return outer
}

// Leave goes on behind a message that was entered.
func (c *Cursor) Leave(outer Cursor) {
	if !c.odd {
		*c = outer
	}
}
