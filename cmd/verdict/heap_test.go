package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
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
		base    uint64
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
		{"nothing is known of what the percentage is of", 256 * mb, 0, []span{{60, 200 * mb}}, 6400, false},
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
					percent, isQuiet = r.look(allocated, test.base, now)
				}
			}
			if percent != test.percent || isQuiet != test.isQuiet {
				t.Errorf("the heap may grow by %d %%, and that it is quiet is %v, want %d and %v", percent, isQuiet, test.percent, test.isQuiet)
			}
		})
	}
}

// TestStacksAreWithinTheRoom holds much on stacks, by which Go lets the heap grow as well, and
// looks at how far it lets it.
func TestStacksAreWithinTheRoom(t *testing.T) {
	const goroutines, depth, room = 64, 1 << 10, 256 << 20 // some 64 MiB of stacks
	var deep, done sync.WaitGroup
	up := make(chan struct{})
	deep.Add(goroutines)
	for range goroutines {
		done.Go(func() { descend(depth, func() { deep.Done(); <-up }) })
	}
	deep.Wait()
	runtime.GC()

	before := readHeap()
	usual := debug.SetGCPercent(int(100 * room / before.base))
	goal := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}}
	metrics.Read(goal)
	debug.SetGCPercent(usual)
	close(up)
	done.Wait()
	if stacks := goal[2].Value.Uint64(); stacks < 32<<20 {
		t.Fatalf("%d bytes are on stacks, want 64 MiB or so", stacks)
	}
	if garbage := goal[0].Value.Uint64() - goal[1].Value.Uint64(); garbage > room+room/10 {
		t.Errorf("there is room for %d MiB of garbage, want %d", garbage>>20, room>>20)
	}
}

// descend calls at a depth of so many frames of more than a KiB.
func descend(depth int, call func()) byte {
	var frame [1 << 10]byte
	if depth == 0 {
		call()
		return 0
	}
	frame[depth%len(frame)] = descend(depth-1, call)
	return frame[0] + frame[depth%len(frame)]
}
