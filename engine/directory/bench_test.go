package directory_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// BenchmarkRead measures reads of a store with 100,000 users, each of another
// user than the one before: a snapshot, an entity, and the grants of one that
// has none, which most have not.
func BenchmarkRead(b *testing.B) {
	const users = 100_000
	var text strings.Builder
	for i := range users {
		fmt.Fprintf(&text, `{"entity":{"type":"user","id":"%d","attributes":{"a":1,"b":"two","c":"three","d":true,"e":"five","f":"six"},"parents":["department:%d"]}}`+"\n", i, i%1000)
	}
	dir := filepath.Join(b.TempDir(), "store")
	if _, err := directory.Load(b.Context(), dir, tenant, strings.NewReader(text.String()), directory.LoadOptions{}); err != nil {
		b.Fatal(err)
	}
	d, err := directory.Open(directory.Options{Dir: dir, Tenants: []string{tenant}})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	refs := make([]authz.EntityRef, users)
	for i := range refs {
		refs[i] = user(fmt.Sprint(i * 7919 % users))
	}
	open := func() *directory.Snapshot {
		s, err := d.Snapshot(b.Context(), tenant, authz.Consistency{})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}
	b.Run("snapshot", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			open().Close()
		}
	})
	b.Run("entity", func(b *testing.B) {
		b.ReportAllocs()
		s := open()
		defer s.Close()
		for i := 0; b.Loop(); i++ {
			if _, known, err := s.Entity(refs[i%users]); !known || err != nil {
				b.Fatal(known, err)
			}
		}
	})
	b.Run("no grants", func(b *testing.B) {
		b.ReportAllocs()
		s := open()
		defer s.Close()
		for i := 0; b.Loop(); i++ {
			if _, err := s.GrantsOf(refs[i%users]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkWrite measures small writes on disk, many at a time, which share
// commits.
func BenchmarkWrite(b *testing.B) {
	d, err := directory.Open(directory.Options{Dir: b.TempDir(), Tenants: []string{tenant}})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	var next atomic.Int64
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			batch := authz.Batch{Changes: []authz.Change{{PutEntity: &authz.Entity{Ref: user(fmt.Sprint(next.Add(1)))}}}}
			if _, err := d.Write(b.Context(), tenant, batch); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
