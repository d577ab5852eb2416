package pdp

import (
	"container/list"
	"sync"
	"time"

	"github.com/verdictpdp/verdict/engine/pip"
)

// maxSearchesBytes is about how much memory the candidates of searches may take. The
// most that indexes lead to fit, with the longest ids.
const maxSearchesBytes = 64 << 20

// rememberFor is how long a search is remembered that nobody asks to go on.
const rememberFor = 5 * time.Minute

// searches remember the candidates of the latest searches that have a next page: to
// find them again takes as long as for the first one, see BenchmarkSearch/pages. A
// search that is forgotten has its candidates found again, and they are the same.
type searches struct {
	mu     sync.Mutex
	known  map[searchName]*list.Element // of *rememberedSearch
	latest list.List                    // the latest in front
	bytes  int
	// hits and misses count those that were remembered and those that were not.
	hits, misses int64
}

type rememberedSearch struct {
	name  searchName
	from  candidates
	bytes int
	asked time.Time
}

func newSearches() *searches { return &searches{known: make(map[searchName]*list.Element)} }

// of are the candidates of a search, if they are remembered. They are not to be
// changed.
func (s *searches) of(name searchName) (candidates, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, remembered := s.known[name]
	if !remembered {
		s.misses++
		return candidates{}, false
	}
	s.hits++
	s.latest.MoveToFront(at)
	search := at.Value.(*rememberedSearch)
	search.asked = time.Now()
	return search.from, true
}

// remember notes the candidates of a search, and forgets others to make room, and those
// that were not asked for long.
func (s *searches) remember(name searchName, from candidates) {
	now := time.Now()
	r := &rememberedSearch{name, from, from.bytes(), now}
	if r.bytes > maxSearchesBytes {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.known[name]; again { // another page found them at the same time
		return
	}
	s.known[name] = s.latest.PushFront(r)
	s.bytes += r.bytes
	for {
		oldest := s.latest.Back().Value.(*rememberedSearch) // this one is there in any case
		if s.bytes <= maxSearchesBytes && now.Sub(oldest.asked) <= rememberFor {
			return
		}
		s.latest.Remove(s.latest.Back())
		delete(s.known, oldest.name)
		s.bytes -= oldest.bytes
	}
}

// bytes is about how much memory the candidates take.
func (c candidates) bytes() int {
	const text, whole = 16, 256
	bytes := whole + len(c.scanned)
	for _, texts := range [][]string{c.listed, c.notes} {
		for _, t := range texts {
			bytes += text + len(t)
		}
	}
	return bytes
}

// RememberedSearches are the candidates that are kept for the next pages of searches.
func (p *PDP) RememberedSearches() pip.Stats {
	s := p.searches
	s.mu.Lock()
	defer s.mu.Unlock()
	return pip.Stats{Bytes: int64(s.bytes), MaxBytes: maxSearchesBytes, Entries: int64(len(s.known)), Hits: s.hits, Misses: s.misses}
}
