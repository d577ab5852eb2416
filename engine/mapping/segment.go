package mapping

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// parseSegment decodes what stands between two slashes of a path.
func parseSegment(raw string) (string, error) {
	if raw == "" {
		return "", refuse("path", "has two slashes in a row, which some servers take for one")
	}
	segment, err := decodeSegment(raw)
	if err != nil {
		return "", err
	}
	switch {
	case strings.HasSuffix(segment, "."):
		return "", refuse("path", "has a segment that ends with a dot, which some servers resolve or leave out")
	case segment[0] == ' ' || segment[len(segment)-1] == ' ':
		return "", refuse("path", "has a segment that begins or ends with a space, which some servers leave out")
	case encodedTwice(segment):
		return "", refuse("path", "is percent-encoded twice, which some servers decode twice")
	}
	return segment, checkText(segment)
}

// decodeSegment takes percent-encoding away. Most segments have none.
func decodeSegment(raw string) (string, error) {
	at := 0
	for at < len(raw) && plain[raw[at]] {
		at++
	}
	if at == len(raw) {
		return raw, nil
	}
	var segment strings.Builder
	segment.Grow(len(raw))
	segment.WriteString(raw[:at])
	for at < len(raw) {
		b := raw[at]
		if b != '%' {
			if err := checkRaw(b); err != nil {
				return "", err
			}
			segment.WriteByte(b)
			at++
			continue
		}
		decoded, ok := hexByte(raw[at+1:])
		if !ok {
			return "", refuse("path", "has a %% that two hexadecimal digits do not follow")
		}
		if err := checkDecoded(decoded); err != nil {
			return "", err
		}
		segment.WriteByte(decoded)
		at += len("%41")
	}
	return segment.String(), nil
}

// checkRaw refuses bytes that may not stand in a path as they are.
func checkRaw(b byte) error {
	switch {
	case b == '\\':
		return refuse("path", "has a backslash, which some servers take for a slash")
	case b == ';':
		return refuse("path", "has a semicolon, after which some servers leave out the segment's rest")
	case b <= ' ' || b == unicode.MaxASCII:
		return refuse("path", "has a space or a control character that is not encoded")
	case b > unicode.MaxASCII:
		return refuse("path", "has a character outside ASCII that is not percent-encoded, which servers read in several encodings")
	}
	return nil
}

// checkDecoded refuses bytes that may not stand in a path even encoded: some
// servers decode first and look for what has a meaning then.
func checkDecoded(b byte) error {
	switch {
	case b == '/' || b == '\\':
		return refuse("path", "has an encoded slash or backslash, which some servers take for a slash")
	case b == ';':
		return refuse("path", "has an encoded semicolon, after which some servers leave out the segment's rest")
	case b == '?' || b == '#':
		return refuse("path", "has an encoded ? or #, which some servers take for the path's end")
	case b < ' ' || b == unicode.MaxASCII:
		return refuse("path", "has an encoded control character")
	}
	return nil
}

// encodedTwice reports whether a decoded segment could be decoded once more, by the
// standard's rules or by the ones of IIS (%u002f).
func encodedTwice(segment string) bool {
	for at := strings.IndexByte(segment, '%'); at >= 0; {
		rest := segment[at+1:]
		if _, ok := hexByte(rest); ok || strings.HasPrefix(rest, "u") || strings.HasPrefix(rest, "U") {
			return true
		}
		next := strings.IndexByte(rest, '%')
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	return false
}

// checkText refuses text that is no UTF-8, that could be spelled in another way, or
// that stands for what has a meaning in a path.
func checkText(segment string) error {
	if isASCII(segment) {
		return nil
	}
	if !utf8.ValidString(segment) {
		return refuse("path", "is no UTF-8 when decoded: overlong forms and other encodings are not read")
	}
	if !norm.NFC.IsNormalString(segment) {
		return refuse("path", "has text that is not in Unicode's normal form C, of which there are several spellings")
	}
	for _, r := range segment {
		if r <= unicode.MaxASCII {
			continue
		}
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs) {
			return refuse("path", "has an invisible character, U+%04X", r)
		}
		if meant := takenFor(r); strings.ContainsAny(meant, `/\.;%?# `) {
			return refuse("path", "has the character U+%04X, which some servers take for %s", r, meant)
		}
	}
	return nil
}

// takenFor is what a character may become where it is written in plainer ones: by
// Unicode's compatibility forms, or on Windows by the tables that find the nearest in
// a code page (1252, 932 and 949).
func takenFor(r rune) string {
	switch r {
	case '⁄', '∕':
		return "/"
	case '∖', '¥', '₩':
		return `\`
	}
	return norm.NFKC.String(string(r))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] > unicode.MaxASCII {
			return false
		}
	}
	return true
}

// hexByte is the byte of the two hexadecimal digits that a text begins with.
func hexByte(s string) (b byte, ok bool) {
	if len(s) < 2 {
		return 0, false
	}
	high, okHigh := hexDigit(s[0])
	low, okLow := hexDigit(s[1])
	return high<<4 | low, okHigh && okLow
}

func hexDigit(b byte) (value byte, ok bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	}
	return 0, false
}
