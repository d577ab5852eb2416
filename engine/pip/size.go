package pip

import "math/bits"

// fewMembers is up to how many members of an object to be are collected on the
// stack: see BenchmarkCold.
const fewMembers = 16

// Estimated bytes of values, beyond those of their texts.

// termBytes is a term with its boxed scalar.
const termBytes = 48

// objectBytes is an object of n members, without their keys' and values'
// terms. OPA keeps a member in a map, a list and a block of pairs.
func objectBytes(n int) int {
	const fixed, member, slot = 144, 32, 17
	return fixed + member*n + slot*slots(n)
}

// slots is how many members a Go map with room for n has room for.
func slots(n int) int {
	if n <= 8 {
		return 8
	}
	return 1 << bits.Len(uint(n*8/7-1))
}

// arrayBytes is an array of n elements, without their terms.
func arrayBytes(n int) int { return 96 + 16*n }
