package mapping

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// parseQuery reads a query as forms are encoded (application/x-www-form-urlencoded
// in the WHATWG's URL standard, section 5.1), which is what backends do.
func parseQuery(query string) (map[string][]string, error) {
	if query == "" {
		return nil, nil
	}
	if len(query) > MaxQueryBytes {
		return nil, refuse("query", "has %d bytes: at most %d are allowed", len(query), MaxQueryBytes)
	}
	parameters, count := make(map[string][]string), 0
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		if count++; count > MaxParameters {
			return nil, refuse("query", "has more than %d parameters", MaxParameters)
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := decodeParameter(rawName)
		if err != nil {
			return nil, err
		}
		value, err := decodeParameter(rawValue)
		if err != nil {
			return nil, err
		}
		parameters[name] = append(parameters[name], value)
	}
	return parameters, nil
}

// decodeParameter decodes a name or a value. What is encoded twice is left encoded
// once: a parameter may well hold an address.
func decodeParameter(raw string) (string, error) {
	at := 0
	for at < len(raw) && plain[raw[at]] && raw[at] != '+' {
		at++
	}
	if at == len(raw) {
		return raw, nil
	}
	var text strings.Builder
	text.Grow(len(raw))
	text.WriteString(raw[:at])
	for at < len(raw) {
		b := raw[at]
		at++
		switch {
		case b == '+':
			b = ' '
		case b == '%':
			decoded, ok := hexByte(raw[at:])
			if !ok {
				return "", refuse("query", "has a %% that two hexadecimal digits do not follow")
			}
			if decoded == 0 {
				return "", refuse("query", "has an encoded NUL, which some servers take for the end")
			}
			b, at = decoded, at+2
		case b == ';':
			return "", refuse("query", "has a semicolon, which some servers take for an ampersand: encode it")
		case b <= ' ' || b >= unicode.MaxASCII:
			return "", refuse("query", "has a space, a control character or one outside ASCII that is not encoded")
		}
		text.WriteByte(b)
	}
	if !utf8.ValidString(text.String()) {
		return "", refuse("query", "is no UTF-8 when decoded: overlong forms and other encodings are not read")
	}
	return text.String(), nil
}
