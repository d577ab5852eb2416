package closure

import (
	"context"
	"regexp/syntax"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
	"github.com/open-policy-agent/opa/v1/util"
)

// How many compiled patterns (regular expressions, globs, schemas) an executable
// keeps from one evaluation to the next, and how many bytes of them, about. A
// request may bring patterns of its own, and a short one can be large when it is
// compiled.
const (
	maxCompiled      = 1_000
	maxCompiledBytes = 32 << 20
)

// patterns are the compiled patterns that are kept. OPA's cache bounds their
// number alone.
type patterns struct {
	cache.InterQueryValueCache // of the named caches

	mutex sync.RWMutex
	kept  *util.HasherMap[ast.Value, compiled]
	bytes int64
}

type compiled struct {
	pattern any
	bytes   int64
}

func newPatterns() *patterns {
	return &patterns{
		InterQueryValueCache: cache.NewInterQueryValueCache(context.Background(), &cache.Config{}),
		kept:                 util.NewHasherMap[ast.Value, compiled](ast.ValueEqual),
	}
}

// Get is the compiled pattern of a text or a schema.
func (p *patterns) Get(key ast.Value) (any, bool) {
	p.mutex.RLock()
	defer p.mutex.RUnlock()
	found, ok := p.kept.Get(key)
	return found.pattern, ok
}

// Insert keeps a compiled pattern, in the place of others where there is no room,
// unless it is larger than a part of all the room. It returns how many others
// there were.
func (p *patterns) Insert(key ast.Value, pattern any) (dropped int) {
	bytes := compiledBytes(key)
	if bytes > maxCompiledBytes/8 {
		return 0
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.drop(key)
	for p.kept.Len() >= maxCompiled || p.bytes+bytes > maxCompiledBytes {
		p.kept.Iter(func(any ast.Value, _ compiled) bool {
			p.drop(any)
			return true
		})
		dropped++
	}
	p.kept.Put(key, compiled{pattern, bytes})
	p.bytes += bytes
	return dropped
}

// Delete lets go of a compiled pattern.
func (p *patterns) Delete(key ast.Value) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.drop(key)
}

func (p *patterns) drop(key ast.Value) {
	if old, found := p.kept.Get(key); found {
		p.kept.Delete(key)
		p.bytes -= old.bytes
	}
}

// GetCache is one of OPA's named caches, of few entries each, without what is
// large in them.
func (p *patterns) GetCache(name string) cache.InterQueryValueCacheBucket {
	bucket := p.InterQueryValueCache.GetCache(name)
	if bucket == nil {
		return nil
	}
	perByte := int64(perState)
	if name == keysCache {
		perByte = 2
	}
	return smallEntries{bucket, perByte}
}

// keysCache is OPA's cache of the keys that a text such as a certificate has, which
// are about as large as the text.
const keysCache = "io_jwt_keys"

// smallEntries keeps no value whose key is large.
type smallEntries struct {
	cache.InterQueryValueCacheBucket
	perByte int64 // bytes of a value for each of its key, if that is a text
}

// Insert keeps a value if its key is small.
func (s smallEntries) Insert(key ast.Value, value any) int {
	bytes := weightBytes(key)
	if text, isText := key.(ast.String); isText {
		bytes = times(s.perByte, int64(len(text)))
	}
	if bytes > maxCompiledBytes/1024 {
		return 0
	}
	return s.InterQueryValueCacheBucket.Insert(key, value)
}

// perState is about how many bytes a state of a compiled pattern takes.
const perState = 128

// compiledBytes is about how many bytes a pattern takes when it is compiled, with
// its key: rather too many than too few.
func compiledBytes(key ast.Value) int64 {
	text, isText := key.(ast.String)
	if !isText {
		return weightBytes(key)
	}
	n := int64(len(text))
	if parsed, err := syntax.Parse(string(text), syntax.Perl); err == nil {
		n = max(n, statesOf(parsed))
	}
	return times(perState, n)
}

// weightBytes is compiledBytes for what is no text.
func weightBytes(key ast.Value) int64 {
	const perWeight = 512
	return times(perWeight, 1+weight(key, maxCompiledBytes))
}
