package pip

import (
	"slices"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"
)

// fewElements is up to how many elements of an array a scan finds one about as
// fast as an index does: see BenchmarkContains.
const fewElements = 16

// A longArray is an array in an entity's attributes that is worth an index.
type longArray struct {
	array *ast.Array
	index atomic.Pointer[arrayIndex] // nil until it is first asked for
}

type longArrays []*longArray

// Looking for an array among those that were read costs less than scanning it
// would: so many are kept of one entity, and so many entities are looked through.
const (
	maxLongArrays = 16
	maxLongLooked = 32
)

// longBytes is an estimate of the bytes of a longArray, without its index.
const longBytes = 32

// note adds arrays to those that the attributes hold.
func (a *attributes) note(arrays []*ast.Array) {
	if len(arrays) == 0 {
		return
	}
	for {
		present := a.long.Load()
		var all longArrays
		if present != nil {
			all = append(all, *present...)
		}
		for _, array := range arrays[:min(len(arrays), maxLongArrays-len(all))] {
			all = append(all, &longArray{array: array})
		}
		if a.long.CompareAndSwap(present, &all) {
			return
		}
	}
}

// An arrayIndex finds elements of an array by their hashes. Its slots hold
// places in the array, from 1; 0 is free. It has none for an array whose
// elements have hashes too much alike.
type arrayIndex struct {
	slots []uint32
}

// maxProbes is up to how many slots are looked at for one element.
const maxProbes = 64

func newArrayIndex(array *ast.Array) *arrayIndex {
	size := 1
	for size < 2*array.Len() {
		size *= 2
	}
	x := &arrayIndex{slots: make([]uint32, size)}
	for i := range array.Len() {
		slot, free := x.slot(array, array.Elem(i))
		switch {
		case slot < 0:
			return &arrayIndex{}
		case free:
			x.slots[slot] = uint32(i + 1)
		}
	}
	return x
}

// slot is the slot of the element that equals a value, as in Rego, or else the
// free one where it would be; -1 where either is too far away.
func (x *arrayIndex) slot(array *ast.Array, value *ast.Term) (slot int, free bool) {
	mask := len(x.slots) - 1
	// The hash of a number is its integer part: multiplying spreads it.
	slot = int(uint64(value.Value.Hash()) * 0x9e3779b97f4a7c15 >> 32)
	for range maxProbes {
		slot &= mask
		at := x.slots[slot]
		if at == 0 {
			return slot, true
		}
		if ast.ValueEqual(array.Elem(int(at-1)).Value, value.Value) {
			return slot, false
		}
		slot++
	}
	return -1, false
}

func (x *arrayIndex) bytes() int { return 32 + 4*len(x.slots) }

// Contains reports whether an array that was read from the directory has an
// element that equals a value. It is not known of an array that is short, not of
// an entity's attributes, or one of many.
func (r *Reader) Contains(array *ast.Array, value *ast.Term) (found, known bool) {
	if len(r.long) == 0 || array.Len() <= fewElements {
		return false, false
	}
	// What was read last is asked about first.
	for _, at := range slices.Backward(r.long[max(0, len(r.long)-maxLongLooked):]) {
		for _, long := range *at.attributes.Load().long.Load() {
			if long.array != array {
				continue
			}
			index := r.indexOf(at, long)
			if index.slots == nil {
				return false, false
			}
			slot, free := index.slot(array, value)
			return slot >= 0 && !free, true
		}
	}
	return false, false
}

// indexOf makes the index of an array once.
func (r *Reader) indexOf(at *entry, long *longArray) *arrayIndex {
	if known := long.index.Load(); known != nil {
		return known
	}
	made := newArrayIndex(long.array)
	if !long.index.CompareAndSwap(nil, made) {
		return long.index.Load()
	}
	at.add(made.bytes())
	r.keep(at)
	return made
}
