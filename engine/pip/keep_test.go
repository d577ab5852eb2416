package pip

import (
	"testing"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// TestAllThatIsHeldIsCounted reads members one after the other: after each, the
// cache counts every entry with all that it has come to hold, those above the
// one that was asked for included.
func TestAllThatIsHeldIsCounted(t *testing.T) {
	directory := piptest.New("t")
	directory.Write(piptest.Lines(t, `
		{"entity": {"type": "organization", "id": "acme", "attributes": {"country": "de"}}}
		{"entity": {"type": "department", "id": "icu", "parents": ["organization:acme"]}}
		{"entity": {"type": "group", "id": "night", "parents": ["organization:acme"]}}
		{"entity": {"type": "role", "id": "reader", "attributes": {"permissions": ["doc:read"]}}}
		{"entity": {"type": "role", "id": "editor", "attributes": {"permissions": ["doc:write"]}, "parents": ["role:reader"]}}
		{"entity": {"type": "user", "id": "one", "attributes": {"level": 3}, "parents": ["department:icu"]}}
		{"entity": {"type": "user", "id": "many", "parents": ["department:icu", "group:night"]}}
		{"entity": {"type": "user", "id": "none"}}
		{"grant": {"id": "g1", "subject": "department:icu", "role": "role:reader"}}
		{"grant": {"id": "g2", "subject": "user:one", "role": "role:editor", "scope": "department:icu"}}`)...)
	for _, first := range []eval.Member{eval.Attributes, eval.Permissions, eval.GrantsByScope, eval.Distances} {
		cache := NewCache(Options{})
		for _, ref := range [][2]string{{"user", "one"}, {"user", "many"}, {"user", "none"}, {"role", "editor"}, {"user", "unknown"}} {
			e, err := cache.Reader(directory.Latest(), 10).Entity(t.Context(), ref[0], ref[1])
			if err != nil {
				t.Fatal(err)
			}
			if e == nil {
				continue
			}
			for m := range memberCount {
				if _, err := e.Member(t.Context(), (first+m)%memberCount); err != nil {
					t.Fatal(err)
				}
				cache.checkCounts(t)
			}
			if _, err := e.Value(t.Context()); err != nil {
				t.Fatal(err)
			}
			cache.checkCounts(t)
		}
		if n := cache.entries.EstimatedSize(); n != 10 {
			t.Errorf("%d entries are kept, expected those read, those above and the root", n)
		}
	}
}

func (c *Cache) checkCounts(t *testing.T) {
	t.Helper()
	sum := uint64(0)
	for _, e := range c.entries.All() {
		if !e.settled() {
			t.Errorf("%s weighs %d, the cache counts %d", e.key, e.weight(), e.counted.Load())
		}
		sum += uint64(e.counted.Load())
	}
	if c.Bytes() != sum {
		t.Errorf("the cache counts %d bytes, its entries are counted for %d", c.Bytes(), sum)
	}
}
