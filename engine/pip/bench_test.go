package pip_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

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

// BenchmarkCold reads a member of users that the cache does not hold, as a whole
// and by key. The store is in memory: what it costs comes on top.
func BenchmarkCold(b *testing.B) {
	directory := piptest.New("t")
	directory.Write(crowd(benchUsers)...)
	snapshot, ids := directory.Latest(), benchIDs()
	member := func(m eval.Member) func(context.Context, eval.Entity) error {
		return func(ctx context.Context, e eval.Entity) error {
			_, err := e.Member(ctx, m)
			return err
		}
	}
	lookup := func(m eval.Member, name string) func(context.Context, eval.Entity) error {
		key := ast.StringTerm(name)
		return func(ctx context.Context, e eval.Entity) error {
			_, err := e.Lookup(ctx, m, key)
			return err
		}
	}
	attribute, ancestor := lookup(eval.Attributes, "manager"), lookup(eval.Ancestors, "organization:acme")
	scope := lookup(eval.GrantsByScope, "organization:acme")
	for _, bench := range []struct {
		name string
		read func(context.Context, eval.Entity) error
	}{
		{"attributes", member(eval.Attributes)},
		{"ancestors", member(eval.Ancestors)},
		{"grants", member(eval.Grants)},
		{"an attribute", attribute},
		{"an ancestor", ancestor},
		{"grants at a scope", scope},
		{"one of each", func(ctx context.Context, e eval.Entity) error {
			return errors.Join(attribute(ctx, e), ancestor(ctx, e), scope(ctx, e))
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
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
				if err := bench.read(b.Context(), e); err != nil {
					b.Fatal(err)
				}
				cache.Invalidate("t", 0, []authz.EntityRef{ref})
			}
		})
	}
}
