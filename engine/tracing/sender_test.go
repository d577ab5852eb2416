package tracing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
)

func TestWhereTheCollectorIs(t *testing.T) {
	for _, tt := range []struct {
		name, endpoint, traces, all string
		want                        string // empty for an error
	}{
		{"by custom", "", "", "", "localhost:4317"},
		{"by the configuration", "http://c:1", "http://t:2", "http://a:3", "c:1"},
		{"by the environment", "", "", "https://a:3", "a:3"},
		{"by the environment, for traces", "", "http://t:2", "http://a:3", "t:2"},
		{"without a port", "https://c", "", "", "c:4317"},
		{"no URL", "", "", "a:3", ""},
		{"another protocol", "", "", "ftp://a", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", tt.traces)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", tt.all)
			s, err := newSender(tt.endpoint)
			if err != nil {
				if tt.want != "" {
					t.Error(err)
				}
				return
			}
			defer s.conn.Close()
			if s.conn.Target() != tt.want {
				t.Errorf("got %s, want %q", s.conn.Target(), tt.want)
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	got, err := parseHeaders("Api-Key=a%20b, tenant = x,,")
	if diff := cmp.Diff(metadata.MD{"api-key": {"a b"}, "tenant": {"x"}}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, wrong := range []string{"key", "=v", "k=%zz"} {
		if _, err := parseHeaders(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

// TestNothingIsUnpacked holds that what is imported for tracing does not have the
// servers of the program take compressed messages.
func TestNothingIsUnpacked(t *testing.T) {
	if encoding.GetCompressor("gzip") != nil {
		t.Error("gzip is registered with gRPC")
	}
}
