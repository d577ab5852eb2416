package native_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// benchmarks are calls as policies make them. A name is OPA's, and what follows
// a space in it says with what.
var benchmarks = []struct {
	name     string
	operands []*ast.Term
	// free tells that the native function allocates nothing.
	free bool
}{
	{"equal strings", terms(`"user:alice"`, `"user:alicf"`), true},
	{"equal null", terms(`"user:alice"`, `null`), true},
	{"equal numbers", terms(`1700000000000000000`, `1700000000000000001`), true},
	{"equal arrays", terms(`["a", "b", "c", "d"]`, `["a", "b", "c", "e"]`), true},
	{"lt strings", terms(`"2024-02-29"`, `"2024-03-01"`), true},
	{"lt small", terms(`3`, `7`), true},
	{"lt times", terms(`1700000000000000000`, `1700000000000000001`), true},
	{"internal.member_2 array of 3", terms(`"read"`, `["create", "delete", "read"]`), true},
	{"internal.member_2 array of 1000", []*ast.Term{ast.StringTerm("name-0999"), names(1000)}, true},
	{"internal.member_2 set of 3", terms(`"read"`, `{"create", "delete", "read"}`), true},
	{"internal.member_2 object", terms(`"x"`, `{"a": "b", "c": "d"}`), false},
	{"object.get key", terms(`{"state": "active", "region": "eu"}`, `"state"`, `"none"`), true},
	{"object.get path", terms(`{"a": {"b": {"c": 1}}}`, `["a", "b", "c"]`, `0`), true},
	{"object.get missing", terms(`{"state": "active", "region": "eu"}`, `"other"`, `"none"`), true},
	{"object.keys", terms(`{"state": "active", "region": "eu"}`), false},
	{"object.union", terms(`{"state": "active", "region": "eu"}`, `{"state": "closed", "plan": "free"}`), false},
	{"count", terms(`{"a", "b", "c"}`), true},
	{"sum", terms(`[1, 2, 3, 4, 5, 6, 7, 8]`), true},
	{"max", terms(`[1, 2, 3, 4, 5, 6, 7, 8]`), true},
	{"startswith", terms(`"documents/reports/2024"`, `"documents/"`), true},
	{"contains", terms(`"documents/reports/2024"`, `"reports"`), true},
	{"strings.any_prefix_match", terms(`"documents/reports/2024"`, `["a/", "b/", "documents/"]`), true},
	{"lower", terms(`"already-lower"`), true},
	{"trim_prefix", terms(`"user:alice"`, `"user:"`), false},
	{"split", terms(`"documents/reports/2024"`, `"/"`), false},
	{"concat", terms(`":"`, `["document", "read"]`), false},
	{"replace", terms(`"a-b-c"`, `"-"`, `"_"`), false},
	{"substring", terms(`"2024-02-29T12:34:56Z"`, `0`, `10`), false},
	{"sprintf", terms(`"%s may not %s %v."`, `["alice", "read", "document:1"]`), false},
	{"internal.template_string", terms(`["user ", {"alice"}, " of ", {5}]`), false},
	{"plus small", terms(`3`, `4`), true},
	{"plus times", terms(`1700000000000000000`, `86400000000000`), false},
	{"mul", terms(`30`, `86400000000000`), false},
	{"div", terms(`86400000000000`, `1000000000`), false},
	{"minus sets", terms(`{"a", "b", "c"}`, `{"a", "b", "c", "d"}`), true},
	{"and", terms(`{"a", "b", "c"}`, `{"b", "c", "d"}`), false},
	{"or", terms(`{"a", "b", "c"}`, `{"b", "c", "d"}`), false},
	{"array.concat", terms(`["a", "b"]`, `["c", "d"]`), false},
	{"is_string", terms(`"a"`), true},
	{"to_number", terms(`"1234"`), false},
	{"time.parse_rfc3339_ns", terms(`"2024-02-29T12:34:56Z"`), false},
	{"time.clock", terms(`1700000000000000000`), false},
	{"time.clock zone", terms(`[1700000000000000000, "Europe/Berlin"]`), false},
	{"time.parse_ns", terms(`"2006-01-02"`, `"2024-02-29"`), false},
	{"time.add_date", terms(`1700000000000000000`, `0`, `0`, `14`), false},
}

func terms(texts ...string) []*ast.Term {
	parsed := make([]*ast.Term, len(texts))
	for i, text := range texts {
		parsed[i] = ast.MustParseTerm(text)
	}
	return parsed
}

// names is an array of so many strings.
func names(n int) *ast.Term {
	elements := make([]*ast.Term, n)
	for i := range elements {
		elements[i] = ast.StringTerm(fmt.Sprintf("name-%04d", i))
	}
	return ast.ArrayTerm(elements...)
}

// BenchmarkNative sets each function beside OPA's, which is called with a slice
// of operands that is there already. Where there are any, the predicate, the
// function with the elements of its array spread, and the function with an array
// that has to be made stand beside both.
func BenchmarkNative(b *testing.B) {
	for _, bm := range benchmarks {
		name, _, _ := strings.Cut(bm.name, " ")
		b.Run(bm.name, func(b *testing.B) {
			measure(b, "native", bound(b, name, bm.operands))
			if predicate, ok := native.LookupPredicate(name); ok {
				measure(b, "predicate", func() {
					if _, err := predicate(bm.operands[0], bm.operands[1]); err != nil {
						b.Fatal(err)
					}
				})
			}
			if spread, ok := native.LookupSpread(name); ok {
				last := len(bm.operands) - 1
				elements := elementsOf(bm.operands[last])
				measure(b, "spread", func() {
					if _, err := spread(bm.operands[0], elements); err != nil {
						b.Fatal(err)
					}
				})
				operands := slices.Clone(bm.operands)
				run := bound(b, name, operands)
				measure(b, "array", func() {
					operands[last] = ast.ArrayTerm(slices.Clone(elements)...)
					run()
				})
			}
			f := topdown.GetBuiltin(name)
			var result *ast.Term
			keep := func(t *ast.Term) error {
				result = t
				return nil
			}
			measure(b, "opa", func() {
				if err := f(topdown.BuiltinContext{}, bm.operands, keep); err != nil || result == nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func measure(b *testing.B, name string, run func()) {
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			run()
		}
	})
}

func elementsOf(array *ast.Term) []*ast.Term {
	var elements []*ast.Term
	array.Value.(*ast.Array).Foreach(func(t *ast.Term) { elements = append(elements, t) })
	return elements
}

// bound is a native call with its operands.
func bound(t testing.TB, name string, operands []*ast.Term) func() {
	f, _ := native.Lookup(name)
	must := func(result *ast.Term, err error) {
		if result == nil || err != nil {
			t.Fatal(result, err)
		}
	}
	switch {
	case f.Unary != nil:
		return func() { must(f.Unary(operands[0])) }
	case f.Binary != nil:
		return func() { must(f.Binary(operands[0], operands[1])) }
	case f.Quaternary != nil:
		return func() { must(f.Quaternary(operands[0], operands[1], operands[2], operands[3])) }
	}
	return func() { must(f.Ternary(operands[0], operands[1], operands[2])) }
}

func TestAllocatesNothing(t *testing.T) {
	for _, bm := range benchmarks {
		t.Run(bm.name, func(t *testing.T) {
			name, _, _ := strings.Cut(bm.name, " ")
			agree(t, name, bm.operands)
			allocations := testing.AllocsPerRun(100, bound(t, name, bm.operands))
			if free := allocations == 0; free != bm.free {
				t.Errorf("%v allocations, and that it allocates nothing is said to be %v", allocations, bm.free)
			}
		})
	}
}
