package pdp

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

func TestSearchesThatNobodyGoesOnWithAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSearches()
		s.remember(searchName{1}, candidates{})
		s.remember(searchName{2}, candidates{})
		time.Sleep(rememberFor / 2)
		s.of(searchName{1})
		time.Sleep(rememberFor / 2)
		s.remember(searchName{3}, candidates{})
		if len(s.known) != 3 {
			t.Errorf("%d are remembered for as long as they may be, want 3", len(s.known))
		}
		time.Sleep(time.Nanosecond)
		s.remember(searchName{4}, candidates{})
		if _, remembered := s.of(searchName{2}); remembered {
			t.Error("one is remembered that nobody has asked for")
		}
		if _, remembered := s.of(searchName{1}); !remembered {
			t.Error("one is forgotten that somebody has asked for")
		}
		time.Sleep(2 * rememberFor)
		s.remember(searchName{5}, candidates{})
		if len(s.known) != 1 || s.latest.Len() != 1 || s.bytes != (candidates{}).bytes() {
			t.Errorf("%d are remembered after a long time, of %d bytes", len(s.known), s.bytes)
		}
	})
}

// ForgetSearches makes room, as other searches would.
func (p *PDP) ForgetSearches() { p.searches = newSearches() }
