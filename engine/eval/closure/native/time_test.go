package native_test

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Each byte of a time is tried as what may stand elsewhere in one.
func TestTimesThatAreNearlyOnes(t *testing.T) {
	for _, text := range []string{"2024-02-29T12:34:56Z", "2024-10-31T23:59:59.123456789Z", "2024-10-31T23:59:59.5+02:00"} {
		for i := range len(text) {
			for _, other := range []string{"", "0", "1", "3", "6", "9", "-", ":", ".", ",", "T", "t", "Z", "z", " ", "00", "\xff"} {
				agree(t, "time.parse_rfc3339_ns", []*ast.Term{ast.StringTerm(text[:i] + other + text[i+1:])})
			}
		}
	}
}
