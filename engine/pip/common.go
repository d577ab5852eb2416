package pip

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// common shares the terms of texts that many entities have for a value: a state, a
// plan, a region, a department. So an entity takes less memory, and what decisions
// read of one is in the processor's caches from another. It is safe for use by
// many goroutines at once.
//
// A text has one place, by its hash. It takes that when it was missed there twice
// running, so that texts which only one entity has, such as names, seldom do.
type common struct {
	seed   maphash.Seed
	places [commonPlaces]struct {
		term   atomic.Pointer[ast.Term]
		missed atomic.Uint32 // the hash of the last text that was
	}
}

const (
	commonPlaces   = 1 << 12
	maxCommonBytes = 64
)

// term is the term of a text, and whether others have it too.
func (c *common) term(text string) (term *ast.Term, shared bool) {
	if len(text) > maxCommonBytes {
		return ast.StringTerm(text), false
	}
	hash := maphash.String(c.seed, text)
	place := &c.places[hash%commonPlaces]
	if term := place.term.Load(); term != nil && string(term.Value.(ast.String)) == text {
		return term, true
	}
	if place.missed.Swap(uint32(hash>>32)) != uint32(hash>>32) {
		return ast.StringTerm(text), false
	}
	term = ast.StringTerm(strings.Clone(text)) // which is a part of something larger
	place.term.Store(term)
	return term, true
}
