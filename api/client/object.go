package client

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
)

const (
	// maxDepth is how deep the server lets objects nest.
	maxDepth = 64
	// maxExactInteger is the first integer that the next one is rounded to in
	// a double, as which numbers travel. The server refuses those from here on.
	maxExactInteger = 1 << 53
)

// A flaw is what keeps a value from the wire, and where below it.
type flaw struct{ path, text string }

func flawed(format string, args ...any) *flaw { return &flaw{text: fmt.Sprintf(format, args...)} }

// structOf is the message of an object that stands at a depth.
func structOf(object map[string]any, depth int) (*structpb.Struct, *flaw) {
	if depth > maxDepth {
		return nil, flawed("the nesting is deeper than %d levels", maxDepth)
	}
	fields := make(map[string]*structpb.Value, len(object))
	for name, member := range object {
		if !utf8.ValidString(name) {
			return nil, flawed("the member %q is not named in valid UTF-8", name)
		}
		value, flaw := valueOf(member, depth)
		if flaw != nil {
			flaw.path = "." + name + flaw.path
			return nil, flaw
		}
		fields[name] = value
	}
	return &structpb.Struct{Fields: fields}, nil
}

func listOf[T any](list []T, depth int) (*structpb.Value, *flaw) {
	if depth > maxDepth {
		return nil, flawed("the nesting is deeper than %d levels", maxDepth)
	}
	values := make([]*structpb.Value, len(list))
	for i, item := range list {
		value, flaw := valueOf(item, depth)
		if flaw != nil {
			flaw.path = fmt.Sprintf("[%d]%s", i, flaw.path)
			return nil, flaw
		}
		values[i] = value
	}
	return structpb.NewListValue(&structpb.ListValue{Values: values}), nil
}

// valueOf is the message of a value that stands at a depth. Beside the values of
// an authz.Object it takes what Go programs have at hand: integers and lists of
// texts.
func valueOf(value any, depth int) (*structpb.Value, *flaw) {
	switch value := value.(type) {
	case nil:
		return structpb.NewNullValue(), nil
	case bool:
		return structpb.NewBoolValue(value), nil
	case string:
		if !utf8.ValidString(value) {
			return nil, flawed("is not valid UTF-8")
		}
		return structpb.NewStringValue(value), nil
	case float64:
		return numberOf(value)
	case int:
		return numberOf(float64(value))
	case int32:
		return numberOf(float64(value))
	case int64:
		return numberOf(float64(value))
	case uint32:
		return numberOf(float64(value))
	case uint64:
		return numberOf(float64(value))
	case json.Number:
		return exactNumberOf(string(value))
	case []any:
		return listOf(value, depth+1)
	case []string:
		return listOf(value, depth+1)
	case authz.Object:
		object, flaw := structOf(value, depth+1)
		return structpb.NewStructValue(object), flaw
	default:
		return nil, flawed("a %T is no JSON value: give nil, a bool, a string, a number, a []any or a map[string]any", value)
	}
}

func numberOf(number float64) (*structpb.Value, *flaw) {
	switch {
	case math.IsNaN(number) || math.IsInf(number, 0):
		return nil, flawed("%v is no JSON number", number)
	case math.Abs(number) >= maxExactInteger:
		return nil, flawed("%v may be rounded on its way: send an integer of 2^53 or more as a string", number)
	}
	return structpb.NewNumberValue(number), nil
}

// exactNumberOf is the message of a number that a double holds digit by digit.
func exactNumberOf(text string) (*structpb.Value, *flaw) {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || !json.Valid([]byte(text)) {
		return nil, flawed("%s is no JSON number that a double holds", authz.Quote(text))
	}
	if digitsOf(strconv.FormatFloat(number, 'e', -1, 64)) != digitsOf(text) {
		return nil, flawed("%s would be rounded on its way: send it as a string", authz.Quote(text))
	}
	return numberOf(number)
}

// digitsOf are the significant digits of a decimal number. Two numbers next to
// each other as doubles differ in them.
func digitsOf(text string) string {
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	mantissa = strings.Replace(strings.TrimPrefix(mantissa, "-"), ".", "", 1)
	return strings.Trim(mantissa, "0")
}
