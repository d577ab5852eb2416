package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/verdictpdp/verdict/api/authz"
)

// canonicalAttributes is an entity's attributes in canonical form: RFC 8259
// with unique names and valid UTF-8 (RFC 7493), no space, names sorted and
// strings written as in RFC 8785; numbers keep their text, since a number of
// that standard is a float, and satisfy authz.ValidateNumber. The empty object
// is nil.
func canonicalAttributes(ref authz.EntityRef, raw json.RawMessage) (json.RawMessage, error) {
	return canonicalize(ref, bytes.Clone(raw))
}

// canonicalize is canonicalAttributes for attributes that it may overwrite.
func canonicalize(ref authz.EntityRef, raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if depth := nesting(raw); depth > authz.MaxAttributeDepth {
		return nil, attributesError("are nested %d deep: at most %d are allowed", depth, authz.MaxAttributeDepth)
	}
	value := jsontext.Value(raw)
	if err := value.Format(jsontext.ReorderRawObjects(true)); err != nil {
		return nil, attributesError("%s", jsonProblem(err))
	}
	if value.Kind() != jsontext.KindBeginObject {
		return nil, attributesError("is %s: expected an object", kindName(value.Kind()))
	}
	if len(value) > authz.MaxAttributeBytes {
		return nil, attributesError("have %d bytes: at most %d are allowed", len(value), authz.MaxAttributeBytes)
	}
	if err := checkNumbers(value); err != nil {
		return nil, authz.InField("attributes", err)
	}
	if ref.Type == authz.RoleType {
		if err := checkPermissions(value); err != nil {
			return nil, err
		}
	}
	if len(value) == len("{}") {
		return nil, nil
	}
	return json.RawMessage(value), nil
}

func attributesError(format string, args ...any) error {
	return authz.InvalidField("attributes", format, args...)
}

// nesting is how deep a JSON text is nested; what is no JSON is found out
// later.
func nesting(text []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString:
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// checkNumbers refuses numbers that a policy cannot compute with, in what is
// JSON: with one of them no policy could read the entity.
func checkNumbers(value []byte) error {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			for i++; value[i] != '"'; i++ {
				if value[i] == '\\' {
					i++
				}
			}
		case c == '-' || '0' <= c && c <= '9':
			end := i + 1
			for end < len(value) && bytes.IndexByte([]byte("0123456789+-.eE"), value[end]) >= 0 {
				end++
			}
			if err := authz.ValidateNumber(string(value[i:end])); err != nil {
				return err
			}
			i = end - 1
		}
	}
	return nil
}

// checkPermissions reports permissions of a role that are no list of
// type:action.
func checkPermissions(attributes jsontext.Value) error {
	dec := jsontext.NewDecoder(bytes.NewReader(attributes))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndObject {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if name.String() == "permissions" {
			return checkPermissionList(dec)
		}
		if err := dec.SkipValue(); err != nil {
			return err
		}
	}
	return nil
}

func checkPermissionList(dec *jsontext.Decoder) error {
	if kind := dec.PeekKind(); kind != jsontext.KindBeginArray {
		return permissionError("is %s: expected an array of type:action", kindName(kind))
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != jsontext.KindEndArray {
		if kind := dec.PeekKind(); kind != jsontext.KindString {
			return permissionError("an element is %s: expected type:action as a string", kindName(kind))
		}
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		typ, action, found := strings.Cut(token.String(), ":")
		if !found || action == "" {
			return permissionError("%s: expected type:action, either of which may be *", authz.Quote(token.String()))
		}
		if typ == "*" {
			continue
		}
		if err := (authz.EntityRef{Type: typ, ID: "any"}).Validate(); err != nil {
			return permissionError("%s: %s", authz.Quote(token.String()), err)
		}
	}
	return nil
}

func permissionError(format string, args ...any) error {
	return authz.InvalidField("attributes.permissions", format, args...)
}

// jsonProblem is what jsontext found wrong, without its own preamble, and where.
func jsonProblem(err error) string {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) && syntactic.Err != nil {
		problem := shorten(syntactic.Err.Error())
		if at := string(syntactic.JSONPointer); at != "" {
			problem += " at " + shorten(at)
		}
		return problem
	}
	return shorten(strings.TrimPrefix(err.Error(), "jsontext: "))
}

// maxQuotedBytes is how much of a line an error repeats.
const maxQuotedBytes = 200

func shorten(text string) string {
	if len(text) <= maxQuotedBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxQuotedBytes], "") + "…"
}

// kindName is the name of a kind of JSON value, with its article.
func kindName(kind jsontext.Kind) string {
	switch kind {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindString:
		return "a string"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindBeginObject:
		return "an object"
	case jsontext.KindBeginArray:
		return "an array"
	}
	return "malformed"
}
