package grpcapi

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

const (
	// maxExactInteger is the first integer that the next one is rounded to in
	// a double: from here on a number may not be the one that was meant.
	maxExactInteger = 1 << 53
	// maxPathName is how many bytes of a member's name an error repeats.
	maxPathName = 64
)

// A flaw is what is wrong with a value, and where below it.
type flaw struct {
	path, text string
}

func flawed(format string, args ...any) *flaw { return &flaw{text: fmt.Sprintf(format, args...)} }

// inMember and inItem say that the flaw lies in a part.
func (f *flaw) inMember(name string) *flaw {
	if len(name) > maxPathName {
		name = strings.ToValidUTF8(name[:maxPathName], "") + "…"
	}
	f.path = "." + name + f.path
	return f
}

func (f *flaw) inItem(i int) *flaw {
	f.path = fmt.Sprintf("[%d]%s", i, f.path)
	return f
}

// objectOf is the object of a message, or nil of nil. Its errors are of kind
// Invalid, about a field. It goes no deeper than pdp.MaxDepth.
func objectOf(field string, message *structpb.Struct) (authz.Object, error) {
	if message == nil {
		return nil, nil
	}
	object, flaw := readObject(message, 1)
	if flaw != nil {
		return nil, authz.InvalidField(field+flaw.path, "%s", flaw.text)
	}
	return object, nil
}

func readObject(message *structpb.Struct, depth int) (authz.Object, *flaw) {
	if depth > pdp.MaxDepth {
		return nil, flawed("the nesting is deeper than %d levels", pdp.MaxDepth)
	}
	object := make(authz.Object, len(message.GetFields()))
	for name, member := range message.GetFields() {
		value, flaw := readValue(member, depth)
		if flaw != nil {
			return nil, flaw.inMember(name)
		}
		object[name] = value
	}
	return object, nil
}

func readList(message *structpb.ListValue, depth int) ([]any, *flaw) {
	if depth > pdp.MaxDepth {
		return nil, flawed("the nesting is deeper than %d levels", pdp.MaxDepth)
	}
	list := make([]any, len(message.GetValues()))
	for i, item := range message.GetValues() {
		value, flaw := readValue(item, depth)
		if flaw != nil {
			return nil, flaw.inItem(i)
		}
		list[i] = value
	}
	return list, nil
}

// readValue reads a value that stands at a depth.
func readValue(message *structpb.Value, depth int) (any, *flaw) {
	switch kind := message.GetKind().(type) {
	case *structpb.Value_NullValue:
		return nil, nil
	case *structpb.Value_BoolValue:
		return kind.BoolValue, nil
	case *structpb.Value_StringValue:
		return kind.StringValue, nil
	case *structpb.Value_NumberValue:
		return readNumber(kind.NumberValue)
	case *structpb.Value_StructValue:
		return readObject(kind.StructValue, depth+1)
	case *structpb.Value_ListValue:
		return readList(kind.ListValue, depth+1)
	default:
		return nil, flawed("the value has no kind: set null_value for null")
	}
}

func readNumber(number float64) (any, *flaw) {
	switch {
	case math.IsNaN(number) || math.IsInf(number, 0):
		return nil, flawed("%v is no JSON number", number)
	case math.Abs(number) >= maxExactInteger:
		return nil, flawed("%v may have been rounded on its way: send an integer of 2^53 or more as a string", number)
	}
	return number, nil
}

// structOf is the message of an object, or nil of nil.
func structOf(object authz.Object) (*structpb.Struct, error) {
	if object == nil {
		return nil, nil
	}
	fields := make(map[string]*structpb.Value, len(object))
	for name, member := range object {
		value, err := valueOf(member)
		if err != nil {
			return nil, err
		}
		fields[name] = value
	}
	return &structpb.Struct{Fields: fields}, nil
}

func valueOf(value any) (*structpb.Value, error) {
	switch value := value.(type) {
	case nil:
		return structpb.NewNullValue(), nil
	case bool:
		return structpb.NewBoolValue(value), nil
	case string:
		return structpb.NewStringValue(value), nil
	case float64:
		return structpb.NewNumberValue(value), nil
	case json.Number:
		if number, exact := doubleOf(string(value)); exact {
			return structpb.NewNumberValue(number), nil
		}
		return structpb.NewStringValue(string(value)), nil
	case []any:
		items := make([]*structpb.Value, len(value))
		for i, item := range value {
			var err error
			if items[i], err = valueOf(item); err != nil {
				return nil, err
			}
		}
		return structpb.NewListValue(&structpb.ListValue{Values: items}), nil
	case authz.Object:
		object, err := structOf(value)
		return structpb.NewStructValue(object), err
	default:
		return nil, unknownValue(value)
	}
}

func unknownValue(value any) error {
	return fmt.Errorf("a value of type %T is none of an authz.Object", value)
}

// doubleOf is a number that a double holds exactly. One that it does not is sent
// as the string of its text, which is how protobuf's JSON writes 64-bit
// integers.
func doubleOf(text string) (number float64, exact bool) {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(number) >= maxExactInteger {
		return 0, false
	}
	return number, digitsOf(strconv.FormatFloat(number, 'e', -1, 64)) == digitsOf(text)
}

// digitsOf are the significant digits of a decimal number. Two numbers next to
// each other as doubles differ in them.
func digitsOf(text string) string {
	mantissa := text
	if exponent := strings.IndexAny(text, "eE"); exponent >= 0 {
		mantissa = text[:exponent]
	}
	mantissa = strings.Replace(strings.TrimPrefix(mantissa, "-"), ".", "", 1)
	return strings.Trim(mantissa, "0")
}
