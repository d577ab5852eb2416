package pdp

import (
	"fmt"
	"strings"
	"testing"
)

func TestRememberedSearchesAreBounded(t *testing.T) {
	s := newSearches()
	name := func(i int) (n searchName) {
		copy(n[:], fmt.Sprint(i))
		return n
	}
	candidatesOf := func(bytes int) candidates {
		return candidates{listed: []string{strings.Repeat("x", bytes)}}
	}
	const quarter = maxSearchesBytes/4 - 300
	for i := range 4 {
		s.remember(name(i), candidatesOf(quarter))
	}
	s.remember(name(3), candidatesOf(quarter)) // again
	for i := range 4 {
		if _, remembered := s.of(name(i)); !remembered {
			t.Errorf("search %d of 4 is forgotten, though there is room", i)
		}
	}
	s.of(name(0))
	s.remember(name(4), candidatesOf(quarter))
	if _, remembered := s.of(name(1)); remembered {
		t.Error("the search that was asked for the longest time ago is remembered")
	}
	if _, remembered := s.of(name(0)); !remembered {
		t.Error("a search that was asked for is forgotten")
	}
	s.remember(name(5), candidatesOf(maxSearchesBytes))
	if _, remembered := s.of(name(5)); remembered {
		t.Error("a search larger than all room is remembered")
	}
	if s.bytes > maxSearchesBytes || s.bytes < maxSearchesBytes/2 || len(s.known) != 4 || s.latest.Len() != 4 {
		t.Errorf("%d bytes of %d, %d searches, %d in order", s.bytes, maxSearchesBytes, len(s.known), s.latest.Len())
	}
}

// ForgetSearches makes room, as other searches would.
func (p *PDP) ForgetSearches() { p.searches = newSearches() }
