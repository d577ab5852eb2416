package pip

import (
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// withList is a directory with a user whose attributes are a list and what
// holds another.
func withList(t testing.TB, list string) *piptest.Directory {
	directory := piptest.New("t")
	directory.Write(piptest.Lines(t, fmt.Sprintf(`{"entity": {"type": "user", "id": "u", "attributes": {"list": [%s], "in": {"inner": [[%s]]}}}}`, list, list))...)
	return directory
}

// numbered is a list of n elements that a format makes of their places.
func numbered(n int, format string) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(elements, ",")
}

func TestContains(t *testing.T) {
	const many = 1_000
	for _, test := range []struct {
		name, list string
		in, out    []string
	}{
		{"texts", numbered(many, `"g%d"`), []string{`"g0"`, `"g999"`}, []string{`"g1000"`, `"g"`, `0`, `null`, `["g0"]`}},
		{"numbers", numbered(many, `%d`), []string{`0`, `999`, `17.0`, `1e2`}, []string{`1000`, `-1`, `0.5`, `"0"`}},
		{"numbers beyond 53 bits", numbered(many, `90071992547409%03d`), []string{`90071992547409000`, `90071992547409000.0`}, []string{`90071992547408999`, `90071992547409500.5`}},
		{"composites", numbered(many, `{"id": %d, "l": [%[1]d]}`), []string{`{"l": [5], "id": 5.0}`}, []string{`{"id": 5, "l": [6]}`, `[5]`, `{}`}},
		{"one over and over", numbered(many, `"same%.0d"`), []string{`"same"`}, []string{`"other"`}},
		{"of all types", numbered(many, `%d`) + `,null,true,"x",[],{}`, []string{`null`, `true`, `"x"`, `[]`, `{}`}, []string{`false`, `""`, `[null]`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cache := NewCache(Options{})
			for range 2 { // by a reader that makes the index, and by one that finds it
				reader := cache.Reader(withList(t, test.list).Latest(), 10)
				e, err := reader.Entity(t.Context(), "user", "u")
				if err != nil {
					t.Fatal(err)
				}
				list, err := e.Lookup(t.Context(), eval.Attributes, ast.StringTerm("list"))
				if err != nil {
					t.Fatal(err)
				}
				outer, err := e.Lookup(t.Context(), eval.Attributes, ast.StringTerm("in"))
				if err != nil {
					t.Fatal(err)
				}
				inner := outer.Value.(ast.Object).Get(ast.StringTerm("inner")).Value.(*ast.Array).Elem(0)
				for _, array := range []*ast.Term{list, inner} {
					for i, text := range append(test.in, test.out...) {
						want := i < len(test.in)
						found, known := reader.Contains(array.Value.(*ast.Array), ast.MustParseTerm(text))
						if found != want || !known {
							t.Errorf("%s is in the list: %t (known %t), expected %t", text, found, known, want)
						}
					}
				}
				cache.checkCounts(t)
			}
		})
	}
}

func TestContainsIsNotKnown(t *testing.T) {
	value := ast.InternedTerm(1)
	for _, test := range []struct {
		name, list string
		known      bool
	}{
		{"of a short array", numbered(fewElements, "%d"), false},
		{"of a longer one", numbered(fewElements+1, "%d"), true},
		// As integers they are all the same, and so are their hashes.
		{"of one whose hashes are alike", numbered(2*maxProbes, "0.%03d"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			reader := NewCache(Options{}).Reader(withList(t, test.list).Latest(), 10)
			e, err := reader.Entity(t.Context(), "user", "u")
			if err != nil {
				t.Fatal(err)
			}
			whole, err := e.Member(t.Context(), eval.Attributes)
			if err != nil {
				t.Fatal(err)
			}
			list := whole.Value.(ast.Object).Get(ast.StringTerm("list")).Value.(*ast.Array)
			for range 2 {
				if _, known := reader.Contains(list, value); known != test.known {
					t.Errorf("known is %t, expected %t", known, test.known)
				}
			}
			if _, known := reader.Contains(list.Append(value), value); known {
				t.Error("it is known of an array that was not read")
			}
		})
	}
}

// TestManyLongArrays holds that few of very many are looked through.
func TestManyLongArrays(t *testing.T) {
	list := "[" + numbered(fewElements+1, "%d") + "]"
	reader := NewCache(Options{}).Reader(withList(t, strings.Repeat(list+",", 2*maxLongArrays)+list).Latest(), 10)
	e, err := reader.Entity(t.Context(), "user", "u")
	if err != nil {
		t.Fatal(err)
	}
	lists, err := e.Lookup(t.Context(), eval.Attributes, ast.StringTerm("list"))
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	lists.Value.(*ast.Array).Foreach(func(list *ast.Term) {
		if found, isKnown := reader.Contains(list.Value.(*ast.Array), ast.InternedTerm(3)); isKnown {
			known++
			if !found {
				t.Error("3 is not found")
			}
		}
	})
	if known != maxLongArrays {
		t.Errorf("%d arrays have an index, expected %d", known, maxLongArrays)
	}
}

// BenchmarkContains looks for elements of lists, the last one and one that is
// not there, by scanning the list as OPA does and by Contains.
func BenchmarkContains(b *testing.B) {
	for _, n := range []int{8, fewElements + 1, 32, 64, 1_000} {
		reader := NewCache(Options{}).Reader(withList(b, numbered(n, `"group:%d"`)).Latest(), 10)
		e, err := reader.Entity(b.Context(), "user", "u")
		if err != nil {
			b.Fatal(err)
		}
		list, err := e.Lookup(b.Context(), eval.Attributes, ast.StringTerm("list"))
		if err != nil {
			b.Fatal(err)
		}
		array := list.Value.(*ast.Array)
		values := []*ast.Term{ast.StringTerm(fmt.Sprintf("group:%d", n-1)), ast.StringTerm("group:none")}
		b.Run(fmt.Sprintf("%d scan", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				value := values[i%2].Value
				array.Until(func(element *ast.Term) bool { return ast.ValueEqual(element.Value, value) })
				i++
			}
		})
		b.Run(fmt.Sprintf("%d index", n), func(b *testing.B) {
			i := 0
			for b.Loop() {
				reader.Contains(array, values[i%2])
				i++
			}
		})
	}
}
