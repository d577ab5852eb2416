package main

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// Go collects garbage whenever the heap has doubled. A server keeps little of it and makes
// some kilobytes of garbage a call, so that at full load garbage would be collected several
// times a second, on processors that are needed for calls: it is what the slowest hundredth
// of them would wait for. So the heap has more room while much is asked.

// defaultGarbage is one collection in some five seconds at half of what a processor can do.
const defaultGarbage byteSize = 512 << 20

const (
	// usualPercent is by how much the heap grows where nothing is said of it.
	usualPercent = 100
	// collectEvery is how rarely garbage is collected where limits.garbage has room for it.
	collectEvery = 5 * time.Second
	// leastBase is what Go takes for the base of the percentage at least.
	leastBase = 4 << 20
	// growth is how many bytes of room come in a second, for memory that a process takes
	// anew costs several times as much as that which it has: in a virtual machine up to
	// some 10 µs for 4 KiB.
	growth = 8 << 20
	// rising and falling are how long it takes until half of what is asked more, or less, is
	// told in the room. What is beyond it returns to the system bit by bit, after Go has
	// collected, which it does every two minutes then.
	rising, falling = 2 * time.Second, time.Minute
	// heapLook is how often it is looked how much garbage is made, and quiet is up to how
	// many bytes a second nothing to speak of is.
	heapLook = 500 * time.Millisecond
	quiet    = 1 << 20
	// settling is how long after the start what it took is given back to the system: by
	// then the bundles have been read once more, which activation.Set.Watch does.
	settling = 3 * time.Second
)

// How often the garbage of the first activation is collected: whenever the heap has grown
// by so many percent, and for so long. Policies that take longer are large themselves.
const (
	oftenPercent = 10
	oftenFor     = 2 * time.Second
)

// collectOften collects garbage often until the function that it returns is called. A
// memtable counts as heap although next to none of it is resident, and so the usual
// percentage lets small policies become active without a single collection: what stays
// of them would lie scattered over the pages of what does not, and an idle sidecar would
// keep a quarter more memory of its own.
func collectOften() (asUsual func()) {
	usual := debug.SetGCPercent(oftenPercent)
	asUsual = sync.OnceFunc(func() { debug.SetGCPercent(usual) })
	time.AfterFunc(oftenFor, asUsual)
	return asUsual
}

// A room is how far the heap grows before garbage is collected.
type room struct {
	// most is limits.garbage.
	most float64
	// rate is how much garbage was made a second of late, and bytes what there is room for.
	rate, bytes float64
	// allocated is what had been when it was looked, at the time at.
	allocated uint64
	at        time.Time
}

// look is how many percent of base the heap is to grow by, and whether hardly any garbage is
// made, by what has been allocated since the process began.
func (r *room) look(allocated, base uint64, now time.Time) (percent int, isQuiet bool) {
	since := now.Sub(r.at).Seconds()
	rate := float64(allocated-r.allocated) / since
	r.allocated, r.at = allocated, now
	half := rising
	if rate < r.rate {
		half = falling
	}
	r.rate = rate + (r.rate-rate)*math.Exp2(-since/half.Seconds())
	kept := float64(max(base, leastBase))
	r.bytes = min(r.rate*collectEvery.Seconds(), r.most, max(r.bytes, kept*usualPercent/100)+growth*since)
	return max(usualPercent, int(math.Round(100*r.bytes/kept))), rate < quiet
}

// A heapState is how much has been allocated since the process began, and of how much Go takes
// the percentage by which the heap grows: what is live, and besides stacks and globals.
type heapState struct{ allocated, base uint64 }

func readHeap() heapState {
	samples := [...]metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"},
	}
	metrics.Read(samples[:])
	state := heapState{allocated: samples[0].Value.Uint64()}
	for _, part := range samples[1:] {
		state.base += part.Value.Uint64()
	}
	return state
}

// keepHeap gives the heap its room until ctx is done, unless GOGC says how often garbage is
// collected. And once, when the server is quiet after its start, it gives back to the
// system what that took: compiling policies and running their tests takes several times
// the memory that deciding by them does, and a sidecar that nobody asks would keep it.
func keepHeap(ctx context.Context, most byteSize) {
	began := time.Now()
	if os.Getenv("GOGC") != "" {
		most = 0
	}
	r := room{most: float64(most), allocated: readHeap().allocated, at: began}
	set := usualPercent
	defer func() {
		if set != usualPercent {
			debug.SetGCPercent(usualPercent)
		}
	}()
	tick := time.NewTicker(heapLook)
	defer tick.Stop()
	for settled := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		heap := readHeap()
		percent, isQuiet := r.look(heap.allocated, heap.base, time.Now())
		if change := max(percent, set) - min(percent, set); change > set/20 { // it stops the process for some 30 µs
			debug.SetGCPercent(percent)
			set = percent
		}
		if isQuiet && !settled && time.Since(began) > settling {
			debug.FreeOSMemory()
			releaseProgram()
			settled = true
		}
	}
}
