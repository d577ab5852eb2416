package eval

import (
	"runtime"
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
	shared := authz.Object{"a": []any{"b"}}
	parts := NewParts()
	document := func(context authz.Object) *ast.Term {
		term, err := parts.Document(&authz.Request{Context: context})
		if err != nil {
			t.Fatal(err)
		}
		return term.Value.(ast.Object).Get(ast.StringTerm("context"))
	}
	first := document(shared)
	if document(shared) != first {
		t.Error("a map that is shared was converted again")
	}
	if equal := document(authz.Object{"a": []any{"b"}}); equal == first || !equal.Equal(first) {
		t.Error("an equal map is not converted by itself, or to another value")
	}
	if document(nil) == first {
		t.Error("no map is taken for one that is")
	}
}

// A map that is made where one was that nobody holds any more is another.
func TestPartsHoldWhatTheyKnow(t *testing.T) {
	parts := NewParts()
	for i := range 10_000 {
		if i%1_000 == 0 {
			runtime.GC()
		}
		term, err := parts.Document(&authz.Request{Context: authz.Object{"n": i}})
		if err != nil {
			t.Fatal(err)
		}
		if n := term.Value.(ast.Object).Get(ast.StringTerm("context")).Value.(ast.Object).Get(ast.StringTerm("n")); !n.Equal(ast.IntNumberTerm(i)) {
			t.Fatalf("context %d became that of another, %v", i, n)
		}
	}
}
