package main

import (
	"testing"
	"time"
)

// TestRoomOfTheHeap has a server make garbage for some time, and looks at how much of it
// there is room for.
func TestRoomOfTheHeap(t *testing.T) {
	const mb = 1 << 20
	type span struct {
		seconds int
		made    uint64 // a second
	}
	for _, test := range []struct {
		name    string
		most    byteSize
		live    uint64
		spans   []span
		percent int
		isQuiet bool
	}{
		{"nothing is asked", 1 << 30, 64 * mb, []span{{600, 0}}, 100, true},
		{"little is asked", 1 << 30, 64 * mb, []span{{600, 12 * mb}}, 100, false},
		{"much is asked, for a moment", 1 << 30, 64 * mb, []span{{4, 160 * mb}}, 150, false},
		{"much is asked", 1 << 30, 64 * mb, []span{{60, 64 * mb}}, 500, false},
		{"more is asked than there is room for", 512 * mb, 64 * mb, []span{{60, 200 * mb}}, 800, false},
		{"much is asked no longer", 1 << 30, 64 * mb, []span{{60, 64 * mb}, {60, 0}}, 250, true},
		{"nothing is asked for long", 1 << 30, 64 * mb, []span{{60, 64 * mb}, {600, 0}}, 100, true},
		{"the heap is as large as its room", 1 << 30, 1 << 30, []span{{60, 200 * mb}}, 100, false},
		{"there is to be no room", 0, 64 * mb, []span{{60, 200 * mb}}, 100, false},
		{"nothing is known of what is live", 256 * mb, 0, []span{{60, 200 * mb}}, 100 * 256 * mb, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var (
				allocated uint64
				percent   int
				isQuiet   bool
			)
			now := time.Unix(0, 0)
			r := room{most: float64(test.most), at: now}
			for _, s := range test.spans {
				for range 2 * s.seconds {
					allocated += s.made / 2
					now = now.Add(time.Second / 2)
					percent, isQuiet = r.look(allocated, test.live, now)
				}
			}
			if percent != test.percent || isQuiet != test.isQuiet {
				t.Errorf("the heap may grow by %d %%, and that it is quiet is %v, want %d and %v", percent, isQuiet, test.percent, test.isQuiet)
			}
		})
	}
}
