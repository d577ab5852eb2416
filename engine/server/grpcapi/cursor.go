package grpcapi

import (
	"math"
	"unicode/utf8"
)

// A cursor reads a message on the wire, field by field, and hands out parts of
// it without copying them.
//
// It takes what every protobuf library writes. Of anything else, be it malformed
// or merely unusual, it only says that it is odd: then the message is read
// again by the generated code, which knows what it means or how to refuse it.
type cursor struct {
	rest string
	// seen and repeatable are sets of field numbers: those that have been, and
	// those that may be more than once.
	seen, repeatable fieldSet
	odd              bool
}

// The wire types of fields, as the low bits of their tags
// (https://protobuf.dev/programming-guides/encoding/#structure).
const (
	varintField    = 0
	doubleField    = 1
	delimitedField = 2

	numberShift = 3
)

// A fieldSet is a set of field numbers from 1 to 63.
type fieldSet uint64

// next is the tag of the next field, or 0 at the end of the message or when it
// is odd. The field's value must be read next.
func (c *cursor) next() (tag uint64) {
	if c.rest == "" {
		return 0
	}
	tag = c.varint()
	number := tag >> numberShift
	if number == 0 || number > 63 || c.seen&^c.repeatable>>number&1 != 0 {
		return c.giveUp()
	}
	c.seen |= 1 << number
	return tag
}

// count is how many fields with a tag are still to come, none if the message
// turns out odd on the way.
func (c *cursor) count(tag uint64) int {
	ahead := *c
	n := 0
	for next := ahead.next(); next != 0; next = ahead.next() {
		if next == tag {
			n++
		}
		ahead.skip(next)
	}
	if ahead.odd {
		return 0
	}
	return n
}

// skip passes over the value of a field.
func (c *cursor) skip(tag uint64) {
	switch tag & (1<<numberShift - 1) {
	case varintField:
		c.varint()
	case doubleField:
		c.double()
	case delimitedField:
		c.delimited()
	default:
		c.giveUp()
	}
}

// giveUp finds the message odd, and ends it.
func (c *cursor) giveUp() uint64 {
	c.rest, c.odd = "", true
	return 0
}

// end ends a message that has no more fields.
func (c *cursor) end() {
	if c.rest != "" {
		c.giveUp()
	}
}

func (c *cursor) varint() uint64 {
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
	return c.giveUp()
}

func (c *cursor) boolean() bool { return c.varint() != 0 }

func (c *cursor) double() float64 {
	const size = 8
	if len(c.rest) < size {
		c.giveUp()
		return 0
	}
	var bits uint64
	for i := range size {
		bits |= uint64(c.rest[i]) << (8 * i)
	}
	c.rest = c.rest[size:]
	return math.Float64frombits(bits)
}

// delimited is a value that says its length before.
func (c *cursor) delimited() string {
	size := c.varint()
	if size > uint64(len(c.rest)) {
		c.giveUp()
		return ""
	}
	value := c.rest[:size]
	c.rest = c.rest[size:]
	return value
}

func (c *cursor) text() string {
	text := c.delimited()
	if !utf8.ValidString(text) {
		c.giveUp()
		return ""
	}
	return text
}

// enter goes into a message within this one. What it returns, leave takes to go
// on behind it.
func (c *cursor) enter(repeatable fieldSet) (outer cursor) {
	inner := c.delimited()
	outer = *c
	c.rest, c.seen, c.repeatable = inner, 0, repeatable
	return outer
}

func (c *cursor) leave(outer cursor) {
	if !c.odd {
		*c = outer
	}
}
