package authz

import (
	"strings"
	"testing"
)

func TestValidateNumber(t *testing.T) {
	tests := []struct{ text, wantErr string }{
		{"0", ""},
		{"-0.0", ""},
		{"12345678901234567890.10", ""},
		{"1E+5", ""},
		{"0e-999", ""},
		{"0e-1000", "outside the range of a double"},
		{"1.7976931348623157e308", ""},
		{"1.8e308", "1.8e308 lies outside the range of a double"},
		{"-1e309", "outside the range of a double"},
		{"5e-324", ""},
		{"1e-324", "outside the range of a double"},
		{"1e99999", "outside the range of a double"},
		{"1e999999999", "outside the range of a double"},
		{strings.Repeat("9", MaxNumberBytes), ""},
		{"0." + strings.Repeat("0", MaxNumberBytes-3) + "1", ""},
		{strings.Repeat("9", MaxNumberBytes+1), "a number of 65 characters: at most 64"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) { checkError(t, ValidateNumber(tt.text), tt.wantErr) })
	}
}
