package grpcapi

import (
	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// The fields of google.protobuf's Struct, of its map's entries, of Value and of
// ListValue.
const (
	structFields = 1<<numberShift | delimitedField

	entryName  = 1<<numberShift | delimitedField
	entryValue = 2<<numberShift | delimitedField

	valueNull   = 1<<numberShift | varintField
	valueNumber = 2<<numberShift | doubleField
	valueString = 3<<numberShift | delimitedField
	valueBool   = 4<<numberShift | varintField
	valueStruct = 5<<numberShift | delimitedField
	valueList   = 6<<numberShift | delimitedField

	listValues = 1<<numberShift | delimitedField

	// firstRepeats says that a message's field 1 is repeated.
	firstRepeats fieldSet = 1 << 1
)

// object reads a Struct that stands at a depth, as readObject does.
func (c *cursor) object(depth int) authz.Object {
	if depth > pdp.MaxDepth {
		c.giveUp()
		return nil
	}
	outer := c.enter(firstRepeats)
	object := make(authz.Object)
	for tag := c.next(); tag != 0; tag = c.next() {
		if tag != structFields {
			c.giveUp()
			break
		}
		name, value := c.member(depth)
		object[name] = value
	}
	c.leave(outer)
	return object
}

// member reads an entry of a Struct's map, which has a name and a value in this
// order.
func (c *cursor) member(depth int) (name string, value any) {
	outer := c.enter(0)
	if c.next() != entryName {
		c.giveUp()
	}
	name = c.text()
	if c.next() != entryValue {
		c.giveUp()
	}
	value = c.value(depth)
	c.end()
	c.leave(outer)
	return name, value
}

func (c *cursor) list(depth int) []any {
	if depth > pdp.MaxDepth {
		c.giveUp()
		return nil
	}
	outer := c.enter(firstRepeats)
	list := []any{}
	for tag := c.next(); tag != 0; tag = c.next() {
		if tag != listValues {
			c.giveUp()
			break
		}
		list = append(list, c.value(depth))
	}
	c.leave(outer)
	return list
}

// value reads a Value of one kind, which stands at a depth.
func (c *cursor) value(depth int) (value any) {
	outer := c.enter(0)
	switch c.next() {
	case valueNull:
		if c.varint() != 0 {
			c.giveUp()
		}
	case valueNumber:
		var flaw *flaw
		if value, flaw = readNumber(c.double()); flaw != nil {
			c.giveUp()
		}
	case valueString:
		value = c.text()
	case valueBool:
		value = c.boolean()
	case valueStruct:
		value = c.object(depth + 1)
	case valueList:
		value = c.list(depth + 1)
	default:
		c.giveUp()
	}
	c.end()
	c.leave(outer)
	return value
}
