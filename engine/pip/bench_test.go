package pip_test

import (
	"fmt"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

const benchUsers = 10_000

func benchIDs() []string {
	ids := make([]string, benchUsers)
	for i := range ids {
		ids[i] = fmt.Sprintf("user-%06d", i*7919%benchUsers)
	}
	return ids
}

// readsPerDecision is how many entities a decision of the benchmarks reads.
const readsPerDecision = 5

// BenchmarkWarm reads a member of users that the cache holds, cycling over ten
// thousand, with a new reader for every few of them, as decisions do.
func BenchmarkWarm(b *testing.B) {
	directory := piptest.New("t")
	directory.Write(crowd(benchUsers)...)
	snapshot, ids := directory.Latest(), benchIDs()
	for _, member := range []eval.Member{eval.Attributes, eval.Ancestors, eval.Grants} {
		b.Run(member.String(), func(b *testing.B) {
			cache := pip.NewCache(pip.Options{MaxBytes: 1 << 30})
			ctx, reader := b.Context(), cache.Reader(snapshot, 100)
			read := func(i int) {
				if i%readsPerDecision == 0 {
					reader = cache.Reader(snapshot, 100)
				}
				e, err := reader.Entity(ctx, "user", ids[i%benchUsers])
				if err != nil {
					b.Fatal(err)
				}
				if value, err := e.Member(ctx, member); value == nil || err != nil {
					b.Fatal(err)
				}
			}
			for i := range ids {
				read(i)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				read(i)
				i++
			}
		})
	}
}

// BenchmarkCold reads a member of users that the cache does not hold. The
// store is in memory: what it costs comes on top.
func BenchmarkCold(b *testing.B) {
	directory := piptest.New("t")
	directory.Write(crowd(benchUsers)...)
	snapshot, ids := directory.Latest(), benchIDs()
	for _, member := range []eval.Member{eval.Attributes, eval.Ancestors, eval.Grants} {
		b.Run(member.String(), func(b *testing.B) {
			cache := pip.NewCache(pip.Options{MaxBytes: 1 << 30})
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				ref := authz.EntityRef{Type: "user", ID: ids[i%benchUsers]}
				i++
				e, err := cache.Reader(snapshot, 100).Entity(b.Context(), ref.Type, ref.ID)
				if err != nil {
					b.Fatal(err)
				}
				if value, err := e.Member(b.Context(), member); value == nil || err != nil {
					b.Fatal(err)
				}
				cache.Invalidate("t", 0, []authz.EntityRef{ref})
			}
		})
	}
}
