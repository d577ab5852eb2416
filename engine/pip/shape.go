package pip

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
)

const (
	maxShapeNames  = 1 << 17 // names of all shapes that are shared, together
	maxNamesShared = 1 << 7  // names of one shape that is shared
)

// A shape is the names of an entity's attributes, in order, each with its term.
// Entities of a type have the same few shapes.
type shape struct {
	table[*ast.Term]
	shared bool
}

// shapes shares shapes. It is bounded; a shape beyond is merely not shared.
type shapes struct {
	names  *names
	seed   maphash.Seed
	mu     sync.RWMutex
	byHash map[uint64]*shape
	count  int // names of the shapes
}

// of is the shape of attributes that have these names, which are in order.
func (s *shapes) of(texts []string) *shape {
	var hash uint64
	for _, text := range texts {
		hash = hash*31 + maphash.String(s.seed, text)
	}
	s.mu.RLock()
	known := s.byHash[hash]
	s.mu.RUnlock()
	if known != nil && slices.Equal(known.texts, texts) {
		return known
	}
	made := s.make(texts)
	if len(texts) > maxNamesShared {
		return made
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byHash[hash] != nil || s.count+len(texts) > maxShapeNames {
		return made
	}
	made.shared = true
	s.byHash[hash] = made
	s.count += len(texts)
	return made
}

func (s *shapes) make(texts []string) *shape {
	terms, own := make([]*ast.Term, len(texts)), make([]string, len(texts))
	for i, text := range texts {
		terms[i] = s.names.term(text)
		own[i] = string(terms[i].Value.(ast.String))
	}
	return &shape{table: newTable(own, terms)}
}

// bytes is an estimate of what a shape adds to an entity that has it.
func (s *shape) bytes() int {
	if s.shared {
		return 0
	}
	return tableBytes(len(s.texts)) + (8+termBytes)*len(s.texts)
}
