package tracing

import (
	"strings"
	"testing"

	"go.uber.org/zap"
)

// TestSamplersOfTheEnvironment holds that one that OpenTelemetry does not know is refused:
// in its place all traces would be told of.
func TestSamplersOfTheEnvironment(t *testing.T) {
	for _, tt := range []struct{ name, part, refused string }{
		{"", "", ""},
		{" ", "", ""},
		{"", "half", ""}, // of no sampler
		{"always_off", "", ""},
		{"ParentBased_Always_On", "", ""},
		{"traceidratio", "", ""},
		{"traceidratio", "0", ""},
		{"parentbased_traceidratio", " 1 ", ""},
		{"traceidratio", "1.01", `OTEL_TRACES_SAMPLER_ARG "1.01" is no part: expected a number from 0 to 1`},
		{"traceidratio", "-0.1", `OTEL_TRACES_SAMPLER_ARG "-0.1" is no part`},
		{"parentbased_traceidratio", "half", `OTEL_TRACES_SAMPLER_ARG "half" is no part`},
		{"always", "", `OTEL_TRACES_SAMPLER "always" is not known: expected always_on`},
	} {
		t.Run(tt.name+" "+tt.part, func(t *testing.T) {
			t.Setenv("OTEL_TRACES_SAMPLER", tt.name)
			t.Setenv("OTEL_TRACES_SAMPLER_ARG", tt.part)
			tracing, err := New(t.Context(), Options{Logger: zap.NewNop()})
			if err == nil {
				_ = tracing.Close() // nobody listens
			}
			if tt.refused == "" && err != nil || tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)) {
				t.Errorf("error = %v, want %q", err, tt.refused)
			}
		})
	}
}
