package pip_test

import (
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// TestNumbersThatAreAllowedAreRead holds that what the directory takes is what
// Rego can compute with, at the edge of what it takes.
func TestNumbersThatAreAllowedAreRead(t *testing.T) {
	for _, number := range []string{
		"0", "-0.0", "0e-999", "0e999", "1.7976931348623157e308", "-1.7976931348623157E+308", "5e-324",
		strings.Repeat("9", authz.MaxNumberBytes), "0." + strings.Repeat("0", authz.MaxNumberBytes-2),
		"0." + strings.Repeat("0", 50) + "1e-270",
	} {
		if err := authz.ValidateNumber(number); err != nil {
			t.Errorf("%s is refused: %v", number, err)
		}
		if _, err := ast.NumberChecked(number); err != nil {
			t.Errorf("%s is allowed and cannot be read: %v", number, err)
		}
	}
}
