package closure

import (
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestTollsAreOfBuiltins(t *testing.T) {
	var names []string
	for _, b := range ast.Builtins {
		names = append(names, b.Name)
	}
	for _, group := range tolls {
		for _, name := range group.names {
			if !slices.ContainsFunc(names, func(n string) bool {
				return n == name || strings.HasSuffix(name, ".") && strings.HasPrefix(n, name)
			}) {
				t.Errorf("there is a toll for %s, which is no built-in", name)
			}
		}
	}
}

func TestWeight(t *testing.T) {
	shared := ast.MustParseTerm(`["a", "b"]`)
	for range 40 {
		shared = ast.ArrayTerm(shared, shared)
	}
	for _, c := range []struct {
		name string
		term *ast.Term
		most int64
		want int64
	}{
		{"a short text", ast.StringTerm("a"), 100, 0},
		{"a long text, by 64 bytes", ast.StringTerm(strings.Repeat("a", 640)), 100, 10},
		{"a short number", ast.MustParseTerm("12345"), 100, 0},
		{"an array", ast.MustParseTerm(`[1, 2, 3]`), 100, 3},
		{"a set", ast.MustParseTerm(`{1, 2, 3}`), 100, 3},
		{"an object, keys and values", ast.MustParseTerm(`{"a": 1, "b": 2}`), 100, 4},
		{"what is inside", ast.MustParseTerm(`[[1, 2], {"a": {3}}]`), 100, 2 + 2 + 2 + 1},
		{"no more than asked for", shared, 100, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := weight(c.term.Value, c.most); got != c.want && (got <= c.most || c.want <= c.most) {
				t.Errorf("weight %d, want %d", got, c.want)
			}
		})
	}
}

func TestStates(t *testing.T) {
	for _, c := range []struct {
		pattern     string
		least, most int64
	}{
		{"abc", 3, 10},
		{"(a?){500}(b*){500}", 1000, 10_000},
		{"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", 61, 1000},
		{"((a{10}){10}){10}", 1000, 10_000},
		{"a{,", 3, 10},
		{"(a{2}", 5, 10}, // no pattern
	} {
		if got := states(ast.StringTerm(c.pattern)); got < c.least || got > c.most {
			t.Errorf("%s has %d states, want %d to %d", c.pattern, got, c.least, c.most)
		}
	}
}
