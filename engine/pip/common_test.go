package pip

import (
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestCommonTextsAreShared(t *testing.T) {
	c := &common{seed: maphash.MakeSeed()}
	text := func(term *ast.Term) string { return string(term.Value.(ast.String)) }
	first, shared := c.term("active")
	if shared || text(first) != "active" {
		t.Errorf("%v, shared %v, of a text that nobody had before", first, shared)
	}
	second, shared := c.term("active")
	if !shared || text(second) != "active" {
		t.Errorf("%v, shared %v, the second time", second, shared)
	}
	if third, shared := c.term("active"); !shared || third != second {
		t.Errorf("%v, shared %v, the third time: another term", third, shared)
	}
	for i := range 100_000 {
		one := fmt.Sprint("of one alone ", i)
		if term, shared := c.term(one); shared || text(term) != one {
			t.Fatalf("%v, shared %v", term, shared)
		}
	}
	if again, shared := c.term("active"); !shared || again != second {
		t.Error("what many have gave way to what one has")
	}
}

func TestCommonTextsAreShort(t *testing.T) {
	c := &common{seed: maphash.MakeSeed()}
	for size, want := range map[int]bool{0: true, maxCommonBytes: true, maxCommonBytes + 1: false} {
		long := strings.Repeat("x", size)
		c.term(long)
		if term, shared := c.term(long); shared != want || term.Value.Compare(ast.String(long)) != 0 {
			t.Errorf("%d bytes: %v, shared %v", size, term, shared)
		}
	}
}

// Texts that fall on one place, from many goroutines, are never taken for one another.
func TestCommonTextsOfManyGoroutines(t *testing.T) {
	c := &common{seed: maphash.MakeSeed()}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for i := range 20_000 {
				want := ast.String(fmt.Sprint(i % (3 * commonPlaces)))
				if term, _ := c.term(string(want)); term.Value.Compare(want) != 0 {
					t.Errorf("%v for %v", term, want)
				}
			}
		})
	}
	wait.Wait()
}

// Users have states and names: the states are one term.
func TestEntitiesShareCommonValues(t *testing.T) {
	decoders := newDecoders()
	values := make(map[string]map[*ast.Term]bool)
	for i := range 1_000 {
		a, err := decoders.scan(fmt.Sprintf(`{"name":"user %d","state":"active"}`, i))
		if err != nil {
			t.Fatal(err)
		}
		e := &entry{text: fmt.Sprintf(`{"name":"user %d","state":"active"}`, i)}
		c := &Cache{decoders: decoders}
		for place, name := range a.shape.texts {
			term, err := c.attributeAt(e, a, place)
			if err != nil {
				t.Fatal(err)
			}
			if values[name] == nil {
				values[name] = make(map[*ast.Term]bool)
			}
			values[name][term] = true
		}
	}
	if len(values["name"]) != 1_000 || len(values["state"]) > 5 {
		t.Errorf("%d terms for 1,000 names, %d for one state", len(values["name"]), len(values["state"]))
	}
}
