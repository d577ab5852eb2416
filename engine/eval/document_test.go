package eval

import (
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

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
		term, err := Value(tt.value)
		if err != nil {
			t.Fatal(err)
		}
		if got := term.String(); got != tt.want {
			t.Errorf("%v is written %s, want %s", tt.value, got, tt.want)
		}
	}
}

func TestPartsConvertWhatIsSharedOnce(t *testing.T) {
	shared, own, equal := authz.Object{"a": []any{"b"}}, authz.Object{"a": []any{"c"}}, authz.Object{"a": []any{"b"}}
	requests := []*authz.Request{{Context: shared}, nil, {Context: own}, {Context: equal}, {}, {}, {Resource: authz.Resource{Properties: shared}}}
	parts := PartsOf(requests)
	term := func(o authz.Object) *ast.Term {
		term, err := parts.Object("context", o)
		if err != nil {
			t.Fatal(err)
		}
		return term
	}
	if first, again := term(shared), term(shared); !parts.Shares(shared) || first != again {
		t.Error("a map that is shared is converted again")
	}
	if parts.Shares(own) || parts.Shares(equal) || parts.Shares(nil) {
		t.Error("a map of one request is taken for one that is shared")
	}
	if got := term(equal); got == term(shared) || !got.Equal(term(shared)) {
		t.Error("an equal map is not converted by itself, or to another value")
	}
	if PartsOf(requests[2:6]) != nil {
		t.Error("requests that share nothing have parts in common")
	}
}
