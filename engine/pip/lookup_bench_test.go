package pip_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// BenchmarkLookup looks up a key in a member of users that the cache holds,
// cycling over ten thousand, with a new reader for every few of them: for the
// first time by that reader, reading the entity included, and "again", of what
// the reader has read.
func BenchmarkLookup(b *testing.B) {
	directory := piptest.New("t")
	directory.Write(crowd(benchUsers)...)
	snapshot, ids := directory.Latest(), benchIDs()
	for _, bench := range []struct {
		member eval.Member
		typ    string
		key    *ast.Term
	}{
		{eval.Attributes, "user", ast.StringTerm("manager")},
		{eval.Ancestors, "user", ast.StringTerm("organization:acme")},
		{eval.Distances, "user", ast.StringTerm("organization:acme")},
		{eval.Parents, "user", ast.InternedTerm(0)},
		{eval.Grants, "user", ast.InternedTerm(0)},
		{eval.GrantsByScope, "user", nil},
		{eval.Permissions, authz.RoleType, ast.StringTerm("doc:read")},
	} {
		cache := pip.NewCache(pip.Options{MaxBytes: 1 << 30})
		ctx, reader := b.Context(), cache.Reader(snapshot, 100)
		entity := func(i int) eval.Entity {
			if i%readsPerDecision == 0 {
				reader = cache.Reader(snapshot, 100)
			}
			id := ids[i%benchUsers]
			if bench.typ == authz.RoleType {
				id = "reader"
			}
			e, err := reader.Entity(ctx, bench.typ, id)
			if err != nil {
				b.Fatal(err)
			}
			return e
		}
		keys := make([]*ast.Term, benchUsers)
		for i := range keys {
			keys[i] = bench.key
			if bench.key == nil { // the scope of the user's own grant
				number, err := strconv.Atoi(ids[i][len("user-"):])
				if err != nil {
					b.Fatal(err)
				}
				keys[i] = ast.StringTerm(fmt.Sprint("department:", number/50))
			}
		}
		look := func(i int, e eval.Entity) {
			key := keys[i%benchUsers]
			if term, err := e.Lookup(ctx, bench.member, key); term == nil || err != nil {
				b.Fatal(term, err)
			}
		}
		for i := range ids {
			look(i, entity(i))
		}
		b.Run(bench.member.String(), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				look(i, entity(i))
				i++
			}
		})
		b.Run(bench.member.String()+" again", func(b *testing.B) {
			e := entity(0)
			look(0, e)
			b.ReportAllocs()
			for b.Loop() {
				look(0, e)
			}
		})
	}
}

// BenchmarkEach goes over the ancestors of a user: without the object, and with
// the one that has been made.
func BenchmarkEach(b *testing.B) {
	directory := piptest.New("t")
	directory.Write(crowd(benchUsers)...)
	e, err := pip.NewCache(pip.Options{}).Reader(directory.Latest(), 10).Entity(b.Context(), "user", benchIDs()[0])
	if err != nil {
		b.Fatal(err)
	}
	visited := 0
	visit := func(_, _ *ast.Term) bool {
		visited++
		return true
	}
	b.Run("ancestors", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := e.Each(b.Context(), eval.Ancestors, visit); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ancestors as an object", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			whole, err := e.Member(b.Context(), eval.Ancestors)
			if err != nil {
				b.Fatal(err)
			}
			whole.Value.(ast.Object).Until(func(key, value *ast.Term) bool { return !visit(key, value) })
		}
	})
}
