package eval

import "testing"

func TestDoublesAreWrittenAsInJSON(t *testing.T) {
	tests := []struct {
		value float64
		want  string
	}{
		{0, "0"},
		{7, "7"},
		{-0.25, "-0.25"},
		{1_000_000, "1000000"},
		{1<<53 - 1, "9007199254740991"},
		{1e20, "100000000000000000000"},
		{1e21, "1e+21"},
		{0.000001, "0.000001"},
		{0.0000001, "1e-07"},
	}
	for _, tt := range tests {
		term, err := valueTerm(tt.value)
		if err != nil {
			t.Fatal(err)
		}
		if got := term.String(); got != tt.want {
			t.Errorf("%v is written %s, want %s", tt.value, got, tt.want)
		}
	}
}
