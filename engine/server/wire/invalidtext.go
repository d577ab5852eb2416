package wire

import (
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/verdictpdp/verdict/api/authz"
)

// maxTextDepth is how many messages deep invalid text is looked for.
const maxTextDepth = 100

// unreadable is why the data is no message such as this one, by field where
// that can be told: protobuf says that some string is not valid UTF-8, and not
// which.
func unreadable(message any, data []byte, cause error) error {
	if message, is := message.(proto.Message); is {
		if field := invalidText(message.ProtoReflect().Descriptor(), data, 0); field != "" {
			return authz.InvalidField(field, "is not valid UTF-8")
		}
	}
	return authz.Errorf(authz.Invalid, "the message cannot be read as its .proto describes it: %w", cause)
}

// invalidText is the path of the first string in the data that is not valid
// UTF-8, or empty.
func invalidText(message protoreflect.MessageDescriptor, data []byte, depth int) string {
	if depth > maxTextDepth {
		return ""
	}
	for len(data) > 0 {
		number, wireType, n := protowire.ConsumeTag(data)
		if n < 0 {
			return ""
		}
		data = data[n:]
		n = protowire.ConsumeFieldValue(number, wireType, data)
		if n < 0 {
			return ""
		}
		if field := message.Fields().ByNumber(number); field != nil && wireType == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(data)
			if path := invalidTextIn(field, value, depth); path != "" {
				return path
			}
		}
		data = data[n:]
	}
	return ""
}

func invalidTextIn(field protoreflect.FieldDescriptor, value []byte, depth int) string {
	switch field.Kind() {
	case protoreflect.StringKind:
		if !utf8.Valid(value) {
			return string(field.Name())
		}
	case protoreflect.MessageKind:
		if path := invalidText(field.Message(), value, depth+1); path != "" {
			return string(field.Name()) + "." + path
		}
	}
	return ""
}

// Mended is the message with U+FFFD in the place of what is not valid UTF-8, as
// encoders of JSON do. A policy can make such text, and a file's name can be
// such.
func Mended(message proto.Message) proto.Message {
	message = proto.Clone(message)
	mendText(message.ProtoReflect())
	return message
}

func mendText(message protoreflect.Message) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap():
			mendEntries(field, value.Map())
		case field.IsList():
			list := value.List()
			for i := range list.Len() {
				list.Set(i, mendedValue(field, list.Get(i)))
			}
		default:
			message.Set(field, mendedValue(field, value))
		}
		return true
	})
}

func mendEntries(field protoreflect.FieldDescriptor, entries protoreflect.Map) {
	var keys []protoreflect.MapKey
	entries.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key)
		return true
	})
	for _, key := range keys {
		value := mendedValue(field.MapValue(), entries.Get(key))
		entries.Clear(key)
		entries.Set(mendedValue(field.MapKey(), key.Value()).MapKey(), value)
	}
}

func mendedValue(field protoreflect.FieldDescriptor, value protoreflect.Value) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.ToValidUTF8(value.String(), string(utf8.RuneError)))
	case protoreflect.MessageKind:
		mendText(value.Message())
	}
	return value
}
