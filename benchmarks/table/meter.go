package table

import (
	"runtime"
	"runtime/debug"
	"slices"
)

// A meter measures turns with the garbage collector off, and knows what a byte
// of garbage costs. Only one may be in use at a time.
type meter struct {
	perByte  float64 // nanoseconds of collection for each byte allocated
	garbage  float64 // bytes that lie about
	collects int     // percent, as it was before
}

const (
	// maxGarbage is how many bytes of garbage may lie about.
	maxGarbage = 256 << 20
	// defaultPercent is how much a Go program's heap grows between two
	// collections, unless it is told otherwise.
	defaultPercent = 100
)

// newMeter finds what a collection of all that is live costs.
func newMeter() *meter {
	m := &meter{collects: debug.SetGCPercent(defaultPercent)}
	runtime.GC()
	var costs []float64
	for range 3 {
		start := cpuTime()
		runtime.GC()
		costs = append(costs, float64(cpuTime()-start))
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	m.perByte = median(costs) / max(1, float64(memory.NextGC)-float64(memory.HeapAlloc))
	debug.SetGCPercent(-1)
	return m
}

// close turns the collector on again.
func (m *meter) close() { debug.SetGCPercent(m.collects) }

// A cost is what one decision takes.
type cost struct {
	time   float64 // nanoseconds of processor time
	allocs float64
	bytes  float64
}

// turn measures n decisions, each of about an expected cost.
func (m *meter) turn(n int, expected cost, decide func() error) (cost, error) {
	var total cost
	chunk := max(1, int(maxGarbage/max(1, expected.bytes)))
	for done := 0; done < n; {
		k := min(chunk, n-done)
		if m.garbage+float64(k)*expected.bytes > maxGarbage {
			runtime.GC()
			m.garbage = 0
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := cpuTime()
		for range k {
			if err := decide(); err != nil {
				return cost{}, err
			}
		}
		total.time += float64(cpuTime() - start)
		runtime.ReadMemStats(&after)
		total.allocs += float64(after.Mallocs - before.Mallocs)
		total.bytes += float64(after.TotalAlloc - before.TotalAlloc)
		m.garbage += float64(after.TotalAlloc - before.TotalAlloc)
		done += k
	}
	total.time += total.bytes * m.perByte
	count := float64(n)
	return cost{total.time / count, total.allocs / count, total.bytes / count}, nil
}

// middle is the median of each part of some costs.
func middle(costs []cost) cost {
	of := func(part func(cost) float64) float64 {
		values := make([]float64, len(costs))
		for i, c := range costs {
			values[i] = part(c)
		}
		return median(values)
	}
	return cost{
		time:   of(func(c cost) float64 { return c.time }),
		allocs: of(func(c cost) float64 { return c.allocs }),
		bytes:  of(func(c cost) float64 { return c.bytes }),
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
