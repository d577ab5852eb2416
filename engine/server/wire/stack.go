package wire

// The stack of a new goroutine is small, and where it is too small, it is doubled, and
// what stands on it is moved, frame by frame: in the middle of a policy, and more than
// once, that was a sixth of what a call took, wherever more calls came at once than
// goroutines wait for them. So it is made to grow while little stands on it: for what
// gRPC does at first, and for a decision when the message is there, since many calls
// may wait for theirs. A stack grows by all that a function may put there, whether it
// does or not. See BenchmarkStack and benchmarks/overload.

// deepen makes it as deep as a decision needs, or most do.
//
//go:noinline
func deepen(really bool) byte {
	if !really {
		return 0
	}
	var space [12 << 10]byte
	fill(space[:])
	return space[len(space)-1]
}

// deepenToReceive makes it as deep as receiving a message needs.
//
//go:noinline
func deepenToReceive(really bool) byte {
	if !really {
		return 0
	}
	var space [5 << 10]byte
	fill(space[:])
	return space[len(space)-1]
}

//go:noinline
func fill(space []byte) {
	for i := range space {
		space[i] = byte(i)
	}
}
