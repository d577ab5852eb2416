package native_test

import (
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// ordered holds Compare and Equal to ast's order, both ways round.
func ordered(t *testing.T, a, b *ast.Term) {
	t.Helper()
	for _, pair := range [][2]*ast.Term{{a, b}, {b, a}, {a, a}} {
		want := ast.Compare(pair[0], pair[1])
		if got := native.Compare(pair[0], pair[1]); sign(got) != sign(want) {
			t.Errorf("Compare(%v, %v) = %d, and ast.Compare %d", pair[0], pair[1], got, want)
		}
		if got := native.Equal(pair[0], pair[1]); got != (want == 0) {
			t.Errorf("Equal(%v, %v) = %v, and ast.Compare yields %d", pair[0], pair[1], got, want)
		}
	}
}

func sign(i int) int {
	switch {
	case i < 0:
		return -1
	case i > 0:
		return 1
	}
	return 0
}

func TestOrder(t *testing.T) {
	var terms []*ast.Term
	for _, n := range edgeNumbers {
		terms = append(terms, ast.NewTerm(ast.Number(n)))
	}
	for _, s := range edgeStrings {
		terms = append(terms, ast.StringTerm(s))
	}
	for _, text := range []string{
		"null", "true", "false", "[]", "[1]", "[1.0]", "[1, 2]", "[[1]]", "{}", "set()", "{1}", "{1.0}", "{1, 2}", `{"a": 1}`,
		`{"a": 1.0}`, `{"a": 1, "b": 2}`, `{"a": {"b": [null]}}`, "input.x", "x",
	} {
		terms = append(terms, ast.MustParseTerm(text))
	}
	terms = append(terms, nil, ast.NewTerm(ast.LazyObject(map[string]any{"a": json.Number("1")})))
	for _, a := range terms {
		for _, b := range terms {
			ordered(t, a, b)
		}
	}
	g := newGenerator(1)
	for range 20_000 {
		ordered(t, ast.NewTerm(anyValue(g, 2)), ast.NewTerm(anyValue(g, 2)))
	}
}

// FuzzCompareNumbers holds the order of numbers to ast's on any number that
// OPA's to_number makes of a text, which are more than JSON's. A text of which it
// makes none is compared itself.
func FuzzCompareNumbers(f *testing.F) {
	for i, n := range edgeNumbers {
		f.Add(n, edgeNumbers[(i+1)%len(edgeNumbers)])
	}
	f.Add("1", "one")
	f.Fuzz(func(t *testing.T, x, y string) { ordered(t, numberOrText(x), numberOrText(y)) })
}

func numberOrText(text string) *ast.Term {
	const most = 40 // bytes, so that an exponent takes no gigabytes
	term := ast.StringTerm(text[:min(most, len(text))])
	if number, err := callOPA("to_number", []*ast.Term{term}); err == nil {
		return number
	}
	return term
}
