package authzen

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/verdictpdp/verdict/api/authz"
)

// An appender is an answer that writes itself as JSON behind a text. All others are
// left to encoding/json. See BenchmarkEvaluation.
type appender interface {
	appendTo(text []byte) ([]byte, error)
}

// appendString writes a string. What is no UTF-8 in it is replaced.
func appendString(text []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, err := jsontext.AppendQuote(text, strings.ToValidUTF8(s, "\ufffd"))
			if err != nil {
				panic(err) // it is UTF-8
			}
			return quoted
		}
	}
	text = append(text, '"')
	text = append(text, s...)
	return append(text, '"')
}

func appendStrings(text []byte, list []string) []byte {
	text = append(text, '[')
	for i, s := range list {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendString(text, s)
	}
	return append(text, ']')
}

// appendObject writes an object, its members in the order of their names.
func appendObject(text []byte, object authz.Object) (_ []byte, err error) {
	text = append(text, '{')
	var few [8]string
	names := slices.AppendSeq(few[:0], maps.Keys(object))
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(appendString(text, name), ':')
		if text, err = appendValue(text, object[name]); err != nil {
			return nil, err
		}
	}
	return append(text, '}'), nil
}

// appendValue writes a value as objects of package authz hold them.
func appendValue(text []byte, value any) (_ []byte, err error) {
	switch value := value.(type) {
	case nil:
		return append(text, "null"...), nil
	case bool:
		return strconv.AppendBool(text, value), nil
	case string:
		return appendString(text, value), nil
	case json.Number:
		if number := string(value); number != "" && numberLength(number) == len(number) {
			return append(text, number...), nil
		}
	case authz.Object:
		return appendObject(text, value)
	case []any:
		text = append(text, '[')
		for i, element := range value {
			if i > 0 {
				text = append(text, ',')
			}
			if text, err = appendValue(text, element); err != nil {
				return nil, err
			}
		}
		return append(text, ']'), nil
	}
	return appendAny(text, value)
}

// appendAny writes whatever encoding/json can.
func appendAny(text []byte, value any) ([]byte, error) {
	out := bytes.NewBuffer(text)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}
