package authz

import (
	"strconv"
	"strings"
)

// MaxNumberBytes bounds the text of a number. A double needs 25.
const MaxNumberBytes = 64

// maxExponentBytes bounds the exponent of a number, e-999 say. A zero may have
// any that is shorter.
const maxExponentBytes = len("e-999")

// ValidateNumber reports what keeps a number, which must be one of JSON, from
// being computed with. Numbers are kept as they are written, and need not be
// doubles; but those beyond a double's range are refused, as RFC 7493 advises
// (section 2.2): Rego compares numbers in full, and cannot with an exponent
// without end.
func ValidateNumber(text string) error {
	if len(text) > MaxNumberBytes {
		return Errorf(Invalid, "a number of %d characters: at most %d are allowed", len(text), MaxNumberBytes)
	}
	exponent := strings.IndexAny(text, "eE")
	if exponent < 0 {
		return nil // so few digits are in range
	}
	double, err := strconv.ParseFloat(text, 64)
	tooSmall := double == 0 && strings.ContainsAny(text[:exponent], "123456789")
	if err != nil || tooSmall || len(text)-exponent > maxExponentBytes {
		return Errorf(Invalid, "%s lies outside the range of a double", text)
	}
	return nil
}
