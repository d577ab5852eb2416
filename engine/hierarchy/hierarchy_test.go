package hierarchy_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/hierarchy"
)

// edges are the parents of each ref, by the refs' ids.
type edges map[string][]string

func ref(id string) authz.EntityRef { return authz.EntityRef{Type: "group", ID: id} }

func (e edges) parentsOf(r authz.EntityRef) ([]authz.EntityRef, error) {
	var parents []authz.EntityRef
	for _, id := range e[r.ID] {
		parents = append(parents, ref(id))
	}
	return parents, nil
}

var root = authz.Root("workforce")

func TestClosure(t *testing.T) {
	tests := []struct {
		name  string
		edges edges
		from  authz.EntityRef
		want  string
	}{
		{"alone", edges{}, ref("a"), "group:a=0 tenant:workforce=1"},
		{"the root itself", edges{}, root, "tenant:workforce=0"},
		{"a chain", edges{"a": {"b"}, "b": {"c"}}, ref("a"), "group:a=0 group:b=1 group:c=2 tenant:workforce=3"},
		{"a diamond takes the shortest way", edges{"a": {"b", "c"}, "b": {"d"}, "c": {"e"}, "e": {"d"}}, ref("a"),
			"group:a=0 group:b=1 group:c=1 group:d=2 group:e=2 tenant:workforce=3"},
		{"the root is below the nearest end", edges{"a": {"b", "c"}, "b": {"d"}}, ref("a"),
			"group:a=0 group:b=1 group:c=1 group:d=2 tenant:workforce=2"},
		{"a dangling parent stands below the root", edges{"a": {"gone"}}, ref("a"), "group:a=0 group:gone=1 tenant:workforce=2"},
		{"a cycle ends", edges{"a": {"b"}, "b": {"a"}}, ref("a"), "group:a=0 group:b=1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			closure, err := hierarchy.Closure(test.from, root, test.edges.parentsOf)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range closure {
				got = append(got, fmt.Sprintf("%s=%d", a.Ref, a.Distance))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("closure (-want +got):\n%s", diff)
			}
		})
	}
}

// layered is a graph in which every entity of a layer has every entity of the
// next one as a parent: 2^layers ways from bottom to top.
func layered(layers int) edges {
	e := edges{}
	for layer := range layers {
		for _, side := range []string{"l", "r"} {
			next := layer + 1
			e[fmt.Sprint(side, layer)] = []string{fmt.Sprint("l", next), fmt.Sprint("r", next)}
		}
	}
	return e
}

func TestWalksLookAtEachEntityOnce(t *testing.T) {
	const layers = 200
	graph := layered(layers)
	looked := map[authz.EntityRef]int{}
	count := func(r authz.EntityRef) ([]authz.EntityRef, error) {
		looked[r]++
		return graph.parentsOf(r)
	}
	if _, err := hierarchy.Closure(ref("l0"), root, count); err != nil {
		t.Fatal(err)
	}
	search := hierarchy.NewSearch(count, 2*layers+2)
	for _, from := range []string{"l0", "r0", "l7"} {
		if cycle, err := search.FindCycle(t.Context(), ref(from)); cycle != nil || err != nil {
			t.Fatalf("FindCycle(%s) = %v, %v", from, cycle, err)
		}
	}
	for r, n := range looked {
		if n > 2 {
			t.Errorf("%s was looked at %d times: expected once a walk", r, n)
		}
	}
}

func TestClosureIsBounded(t *testing.T) {
	chain := func(length int) hierarchy.ParentsOf {
		return func(r authz.EntityRef) ([]authz.EntityRef, error) {
			var at int
			if _, err := fmt.Sscan(r.ID, &at); err != nil {
				return nil, err
			}
			if at == length {
				return nil, nil
			}
			return []authz.EntityRef{ref(fmt.Sprint(at + 1))}, nil
		}
	}
	closure, err := hierarchy.Closure(ref("1"), root, chain(hierarchy.MaxAncestors-1))
	if err != nil || len(closure) != hierarchy.MaxAncestors {
		t.Errorf("at the limit: %d ancestors, %v", len(closure), err)
	}
	_, err = hierarchy.Closure(ref("1"), root, chain(hierarchy.MaxAncestors))
	if authz.KindOf(err) != authz.LimitExceeded {
		t.Errorf("past the limit: %v, expected a limit", err)
	}
}

func TestFindCycle(t *testing.T) {
	tests := []struct {
		name  string
		edges edges
		from  string
		want  string
	}{
		{"none", edges{"a": {"b", "c"}, "b": {"c"}}, "a", ""},
		{"of two", edges{"a": {"b"}, "b": {"a"}}, "a", "group:a → group:b → group:a"},
		{"of itself", edges{"a": {"a"}}, "a", "group:a → group:a"},
		{"above where the search begins", edges{"a": {"b"}, "b": {"c"}, "c": {"b"}}, "a", "group:b → group:c → group:b"},
		{"behind a diamond", edges{"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": {"e"}, "e": {"c"}}, "a", "group:d → group:e → group:c → group:d"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cycle, err := hierarchy.NewSearch(test.edges.parentsOf, 100).FindCycle(t.Context(), ref(test.from))
			if err != nil {
				t.Fatal(err)
			}
			if got := hierarchy.CycleText(cycle); got != test.want {
				t.Errorf("cycle %q, want %q", got, test.want)
			}
		})
	}
}

func TestFindCycleIsBounded(t *testing.T) {
	chain := edges{"a": {"b"}, "b": {"c"}}
	if cycle, err := hierarchy.NewSearch(chain.parentsOf, 3).FindCycle(t.Context(), ref("a")); cycle != nil || err != nil {
		t.Errorf("at the limit: %v, %v", cycle, err)
	}
	if _, err := hierarchy.NewSearch(chain.parentsOf, 2).FindCycle(t.Context(), ref("a")); authz.KindOf(err) != authz.LimitExceeded {
		t.Errorf("past the limit: %v, expected a limit", err)
	}
}

func TestFindCycleLooksAtItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	looked := 0
	endless := func(r authz.EntityRef) ([]authz.EntityRef, error) {
		if looked++; looked == 1_000 {
			cancel()
		}
		return []authz.EntityRef{ref(fmt.Sprint(looked))}, nil
	}
	if _, err := hierarchy.NewSearch(endless, math.MaxInt).FindCycle(ctx, ref("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, expected the context's", err)
	}
	if looked > 2_000 {
		t.Errorf("looked at %d entities after the context ended at 1000", looked)
	}
}

// TestSearchGoesOnAfterACycle takes away the edges that close cycles, one after
// the other, and compares with a fresh search of what is left.
func TestSearchGoesOnAfterACycle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		graph := edges{}
		for _, name := range names {
			graph[name] = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID).Draw(t, name)
		}
		search := hierarchy.NewSearch(graph.parentsOf, math.MaxInt)
		for _, name := range names {
			for {
				cycle, err := search.FindCycle(context.Background(), ref(name))
				if err != nil {
					t.Fatal(err)
				}
				if cycle == nil {
					break
				}
				at := rapid.IntRange(0, len(cycle)-2).Draw(t, "at")
				from, to := cycle[at], cycle[at+1]
				graph[from.ID] = slices.DeleteFunc(slices.Clone(graph[from.ID]), func(id string) bool { return id == to.ID })
				if err := search.Changed(from); err != nil {
					t.Fatal(err)
				}
			}
		}
		fresh := hierarchy.NewSearch(graph.parentsOf, 100)
		for _, name := range names {
			if cycle, err := fresh.FindCycle(context.Background(), ref(name)); cycle != nil || err != nil {
				t.Fatalf("the search has left the cycle %v, %v", cycle, err)
			}
		}
	})
}

func TestErrorsOfParentsOfAreReturned(t *testing.T) {
	broken := errors.New("disk")
	fails := func(authz.EntityRef) ([]authz.EntityRef, error) { return nil, broken }
	if _, err := hierarchy.Closure(ref("a"), root, fails); !errors.Is(err, broken) {
		t.Errorf("Closure: %v", err)
	}
	if _, err := hierarchy.NewSearch(fails, 100).FindCycle(t.Context(), ref("a")); !errors.Is(err, broken) {
		t.Errorf("FindCycle: %v", err)
	}
}

func TestCycleTextLeavesOutTheMiddle(t *testing.T) {
	var cycle []authz.EntityRef
	for i := range 100 {
		cycle = append(cycle, ref(fmt.Sprint(i)))
	}
	text := hierarchy.CycleText(cycle)
	if !strings.Contains(text, "group:9 → … → group:90") || strings.Contains(text, "group:50") {
		t.Error(text)
	}
}

// TestFindCycleAgreesWithReachability compares with the definition: there is a
// cycle above an entity when some entity above it reaches itself.
func TestFindCycleAgreesWithReachability(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d", "e", "f"}
		graph := edges{}
		for _, name := range names {
			graph[name] = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID).Draw(t, name)
		}
		above := func(from string) map[string]bool {
			reached := map[string]bool{}
			var walk func(string)
			walk = func(at string) {
				for _, parent := range graph[at] {
					if !reached[parent] {
						reached[parent] = true
						walk(parent)
					}
				}
			}
			walk(from)
			return reached
		}
		want := above("a")["a"]
		for name := range above("a") {
			want = want || above(name)[name]
		}
		cycle, err := hierarchy.NewSearch(graph.parentsOf, 100).FindCycle(context.Background(), ref("a"))
		if err != nil {
			t.Fatal(err)
		}
		if (cycle != nil) != want {
			t.Fatalf("cycle %v in %v, want one: %v", cycle, graph, want)
		}
	})
}
