package pip_test

import (
	"testing"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip"
)

func TestStats(t *testing.T) {
	cache := pip.NewCache(pip.Options{MaxBytes: 1 << 20})
	if stats := cache.Stats(); stats != (pip.Stats{MaxBytes: 1 << 20}) {
		t.Errorf("of an empty cache: %+v", stats)
	}
	snapshot := newTeam(t, cache).Latest()
	look := func() {
		reader := cache.Reader(snapshot, 10)
		read(t, reader, "user:ann", eval.Attributes)
		read(t, reader, "user:ann", eval.Attributes) // which the decision knows already
		read(t, reader, "user:ghost", eval.Attributes)
		reader.Release()
	}
	look()
	if stats := cache.Stats(); stats.Misses != 2 || stats.Hits != 0 {
		t.Errorf("after the first look: %+v", stats)
	}
	look()
	stats := cache.Stats()
	if stats.Misses != 2 || stats.Hits != 2 || stats.Entries == 0 || stats.Bytes <= 0 || stats.Bytes > stats.MaxBytes {
		t.Errorf("after the second: %+v", stats)
	}
}
