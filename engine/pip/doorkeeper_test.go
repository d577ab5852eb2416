package pip

import (
	"fmt"
	"testing"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

func TestDoorkeeperForgetsWhatAnotherReplaces(t *testing.T) {
	d := newDoorkeeper(0) // one place
	const a, b = 1 << 32, 2 << 32
	for i, step := range []struct {
		hash uint64
		seen bool
	}{{a, false}, {a, true}, {a, true}, {b, false}, {a, false}, {b, false}, {b, true}} {
		if seen := d.seen(step.hash); seen != step.seen {
			t.Errorf("step %d: seen is %t, expected %t", i, seen, step.seen)
		}
	}
}

// TestFullCacheAdmitsWhatIsReadAgain fills a cache. Then an entity that is read
// for the first time stays outside, and one that is read again gets in.
func TestFullCacheAdmitsWhatIsReadAgain(t *testing.T) {
	const users = 1_000
	directory := piptest.New("t")
	for i := range users {
		directory.Write(piptest.Lines(t, fmt.Sprintf(`{"entity": {"type": "user", "id": "u%d", "attributes": {"level": 3}, "parents": ["group:g"]}}`, i))...)
	}
	cache := NewCache(Options{MaxBytes: 100 << 10})
	read := func(i int) {
		t.Helper()
		e, err := cache.Reader(directory.Latest(), 10).Entity(t.Context(), "user", fmt.Sprintf("u%d", i))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // a second look in one decision is no second reading
			if _, err := e.Member(t.Context(), eval.Ancestors); err != nil {
				t.Fatal(err)
			}
		}
	}
	cached := func(typ, id string) bool {
		_, found := cache.entries.GetEntryQuietly(key{"t", typ, id})
		return found
	}
	for i := range users / 2 {
		read(i)
	}
	if !cache.full.Load() {
		t.Fatalf("a cache of %d bytes is not full", cache.Bytes())
	}
	admitted := 0
	for i := users / 2; i < users; i++ {
		read(i)
		id := fmt.Sprintf("u%d", i)
		if cached("user", id) {
			t.Fatalf("user:%s was read once, and is in the cache", id)
		}
		read(i)
		if cached("user", id) {
			admitted++
		}
	}
	if !cached("group", "g") {
		t.Error("the group, which was never read but stands above all, is not in the cache")
	}
	if admitted < users/4 {
		t.Errorf("of %d users that were read twice, %d got into the cache", users/2, admitted)
	}
}
