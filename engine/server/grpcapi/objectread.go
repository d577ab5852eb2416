package grpcapi

import (
	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// The fields of google.protobuf's Struct, of its map's entries, of Value and of
// ListValue.
const (
	structFields = 1<<wire.NumberShift | wire.DelimitedField

	entryName  = 1<<wire.NumberShift | wire.DelimitedField
	entryValue = 2<<wire.NumberShift | wire.DelimitedField

	valueNull   = 1<<wire.NumberShift | wire.VarintField
	valueNumber = 2<<wire.NumberShift | wire.DoubleField
	valueString = 3<<wire.NumberShift | wire.DelimitedField
	valueBool   = 4<<wire.NumberShift | wire.VarintField
	valueStruct = 5<<wire.NumberShift | wire.DelimitedField
	valueList   = 6<<wire.NumberShift | wire.DelimitedField

	listValues = 1<<wire.NumberShift | wire.DelimitedField

	// firstRepeats says that a message's field 1 is repeated.
	firstRepeats wire.FieldSet = 1 << 1
)

// object reads a Struct that stands at a depth, as readObject does.
func (c cursor) object(depth int) authz.Object {
	if depth > pdp.MaxDepth {
		c.GiveUp()
		return nil
	}
	outer := c.Enter(firstRepeats)
	object := make(authz.Object)
	for tag := c.Next(); tag != 0; tag = c.Next() {
		if tag != structFields {
			c.GiveUp()
			break
		}
		name, value := c.member(depth)
		object[name] = value
	}
	c.Leave(outer)
	return object
}

// member reads an entry of a Struct's map, which has a name and a value in this
// order.
func (c cursor) member(depth int) (name string, value any) {
	outer := c.Enter(0)
	if c.Next() != entryName {
		c.GiveUp()
	}
	name = c.Text()
	if c.Next() != entryValue {
		c.GiveUp()
	}
	value = c.value(depth)
	c.End()
	c.Leave(outer)
	return name, value
}

func (c cursor) list(depth int) []any {
	if depth > pdp.MaxDepth {
		c.GiveUp()
		return nil
	}
	outer := c.Enter(firstRepeats)
	list := []any{}
	for tag := c.Next(); tag != 0; tag = c.Next() {
		if tag != listValues {
			c.GiveUp()
			break
		}
		list = append(list, c.value(depth))
	}
	c.Leave(outer)
	return list
}

// value reads a Value of one kind, which stands at a depth.
func (c cursor) value(depth int) (value any) {
	outer := c.Enter(0)
	switch c.Next() {
	case valueNull:
		if c.Varint() != 0 {
			c.GiveUp()
		}
	case valueNumber:
		var flaw *flaw
		if value, flaw = readNumber(c.Double()); flaw != nil {
			c.GiveUp()
		}
	case valueString:
		value = c.Text()
	case valueBool:
		value = c.Boolean()
	case valueStruct:
		value = c.object(depth + 1)
	case valueList:
		value = c.list(depth + 1)
	default:
		c.GiveUp()
	}
	c.End()
	c.Leave(outer)
	return value
}
