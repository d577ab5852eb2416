package pip_test

import (
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
		entity := func(i int) (eval.Entity, *ast.Term) {
			if i%readsPerDecision == 0 {
				reader = cache.Reader(snapshot, 100)
			}
			id, key := ids[i%benchUsers], bench.key
			if bench.typ == authz.RoleType {
				id = "reader"
			}
			e, err := reader.Entity(ctx, bench.typ, id)
			if err != nil {
				b.Fatal(err)
			}
			return e, key
		}
		scopes := make(map[string]*ast.Term)
		for i, id := range ids {
			e, _ := entity(i)
			grant, err := e.Lookup(ctx, eval.Grants, ast.InternedTerm(0))
			if err != nil {
				b.Fatal(err)
			}
			if grant != nil {
				scopes[id] = grant.Value.(ast.Object).Get(ast.StringTerm("scope"))
			}
		}
		look := func(i int, e eval.Entity, key *ast.Term) {
			if bench.member == eval.GrantsByScope {
				key = scopes[ids[i%benchUsers]]
			}
			if term, err := e.Lookup(ctx, bench.member, key); term == nil || err != nil {
				b.Fatal(term, err)
			}
		}
		for i := range ids {
			e, key := entity(i)
			look(i, e, key)
		}
		b.Run(bench.member.String(), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				e, key := entity(i)
				look(i, e, key)
				i++
			}
		})
		b.Run(bench.member.String()+" again", func(b *testing.B) {
			e, key := entity(0)
			look(0, e, key)
			b.ReportAllocs()
			for b.Loop() {
				look(0, e, key)
			}
		})
	}
}
