package backup

import (
	"container/heap"
	"errors"
	"io"
)

// A Source gives versions in the order of a backup, and io.EOF after the last. A
// Reader is one. What it gives lasts until the next.
type Source interface {
	Next() (Version, error)
}

// Merge visits the versions of several sources, which have none in common, in
// the order of a backup: those that can be read at a floor or above it. A version
// is the visit's while it runs.
func Merge(floor uint64, visit func(Version) error, sources ...Source) error {
	var heads headHeap
	for _, source := range sources {
		head := &head{source: source}
		switch err := head.next(); {
		case err == nil:
			heads = append(heads, head)
		case !errors.Is(err, io.EOF):
			return err
		}
	}
	heap.Init(&heads)
	keep := Keep{Floor: floor}
	for len(heads) > 0 {
		if v := heads[0].version; keep.Version(v) {
			if err := visit(v); err != nil {
				return err
			}
		}
		switch err := heads[0].next(); {
		case err == nil:
			heap.Fix(&heads, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(&heads)
		default:
			return err
		}
	}
	return nil
}

// A head is the next version of a source.
type head struct {
	source  Source
	version Version
}

func (h *head) next() (err error) {
	h.version, err = h.source.Next()
	return err
}

// A headHeap has the first version first.
type headHeap []*head

func (h headHeap) Len() int           { return len(h) }
func (h headHeap) Less(i, j int) bool { return compare(h[i].version, h[j].version) < 0 }
func (h headHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *headHeap) Push(x any)        { *h = append(*h, x.(*head)) }
func (h *headHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
