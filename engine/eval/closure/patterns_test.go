package closure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestPatternsAreKeptWithinBounds(t *testing.T) {
	p := newPatterns()
	keep := func(pattern string) bool {
		key := ast.String(pattern)
		p.Insert(key, pattern)
		found, kept := p.Get(key)
		if kept && found != any(pattern) {
			t.Errorf("%.20s is kept as %v", pattern, found)
		}
		return kept
	}
	const largest = maxCompiledBytes/8/128 - 1 // letters, as states
	for _, tt := range []struct {
		name, pattern string
		kept          bool
	}{
		{"a short one", "^a+$", true},
		{"none at all", "", true},
		{"no regular expression", "a{b,c(", true},
		{"the longest", strings.Repeat("a", largest), true},
		{"one that is longer by a byte", strings.Repeat("a", largest+1), false},
		{"a short one of many states", "(" + strings.Repeat("a", 300) + "){1000}", false},
		{"a short one of many characters", strings.Repeat(`\pL`, 100), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if keep(tt.pattern) != tt.kept {
				t.Errorf("kept is %v", !tt.kept)
			}
		})
	}
	for i := range 2 * maxCompiled {
		if !keep(fmt.Sprint(i)) {
			t.Fatalf("pattern %d is not kept", i)
		}
		if p.kept.Len() > maxCompiled || p.bytes > maxCompiledBytes {
			t.Fatalf("%d patterns of %d bytes are kept", p.kept.Len(), p.bytes)
		}
	}
	for i := range 20 {
		if !keep(fmt.Sprintf("%02d", i) + strings.Repeat("a", largest-2)) {
			t.Fatalf("large pattern %d is not kept", i)
		}
		if p.bytes > maxCompiledBytes {
			t.Fatalf("%d bytes are kept", p.bytes)
		}
	}
	p.kept.Iter(func(key ast.Value, _ compiled) bool {
		p.Delete(key)
		return false
	})
	if p.kept.Len() != 0 || p.bytes != 0 {
		t.Errorf("%d patterns of %d bytes are left of none", p.kept.Len(), p.bytes)
	}
}

// A schema is an object, and so may be what stands in OPA's named caches.
func TestLargeSchemasAndCollectionsAreNotKept(t *testing.T) {
	p := newPatterns()
	object := func(members int) ast.Value {
		o := ast.NewObject()
		for i := range members {
			o.Insert(ast.IntNumberTerm(i), ast.NullTerm())
		}
		return o
	}
	for _, tt := range []struct {
		bucket interface {
			Get(ast.Value) (any, bool)
			Insert(ast.Value, any) int
		}
		members int // of the largest that is kept
	}{
		{p, (maxCompiledBytes/8/512 - 1) / 2},
		{p.GetCache("graphql"), (maxCompiledBytes/1024/512 - 1) / 2},
	} {
		for more, want := range []bool{true, false} {
			key := object(tt.members + more)
			tt.bucket.Insert(key, "compiled")
			if _, kept := tt.bucket.Get(key); kept != want {
				t.Errorf("of %d members, kept is %v", tt.members+more, kept)
			}
		}
	}
	for name, bytes := range map[string]int{"graphql": maxCompiledBytes / 1024 / 128, keysCache: maxCompiledBytes / 1024 / 2} {
		for more, want := range []bool{true, false} {
			bucket, key := p.GetCache(name), ast.String(strings.Repeat("(", bytes+more))
			bucket.Insert(key, "parsed")
			if _, kept := bucket.Get(key); kept != want {
				t.Errorf("of %d bytes in %s, kept is %v", bytes+more, name, kept)
			}
		}
	}
	if p.GetCache("unheard of") != nil {
		t.Error("there is a cache that OPA has none of")
	}
}
